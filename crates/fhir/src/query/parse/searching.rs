//! A search's query string → [`Query`].

use super::{
    Handling, Issue, IssueCode, Meaning, NameCase, Pair, ResultParam, about, chain, clause, clip, meaning,
    unknown,
};
use crate::limits::MAX_COUNT;
use crate::query::encoding::encode;
use crate::query::shape::{self, Follow, Include};
use crate::query::subset::{self, Subset};
use crate::query::value::{self, Fault};
use crate::query::{Criteria, Level, Query, Total};
use crate::resource::ResourceType;
use crate::time::Timestamp;

/// Reads the search of a type from its pairs.
///
/// # Errors
/// Bad values and unsupported modifiers, and under [`Handling::Strict`] every parameter that is not known or
/// not supported. Each issue names the parameter; all mean status 400.
pub fn search(
    kind: ResourceType,
    pairs: &[Pair],
    handling: Handling,
    now: Timestamp,
) -> Result<Query, Vec<Issue>> {
    SearchParser::new(Level::Type, kind, Vec::new()).read(pairs, handling, now)
}

/// Reads the search of several types from its pairs: `_type`, without it every type, and parameters that all
/// of them have — <https://hl7.org/fhir/R4/http.html#search>
///
/// # Errors
/// As [`search`]; also a `_type` that names what is not stored.
pub fn search_system(pairs: &[Pair], handling: Handling, now: Timestamp) -> Result<Query, Vec<Issue>> {
    let kinds = types(pairs).map_err(|issue| vec![issue])?;
    let Some((&kind, others)) = kinds.split_first() else {
        return Err(vec![Issue::error(IssueCode::Invalid, "`_type` names no type.")]);
    };
    SearchParser::new(Level::System, kind, others.to_vec()).read(pairs, handling, now)
}

const TYPE: &str = "_type";

fn types(pairs: &[Pair]) -> Result<Vec<ResourceType>, Issue> {
    let mut named = pairs.iter().filter(|pair| pair.name == TYPE);
    let Some(pair) = named.next() else {
        return Ok(ResourceType::ALL.to_vec());
    };
    if let Some(again) = named.next() {
        return Err(about(
            again,
            Fault::value("it is given more than once; separate types by commas."),
        ));
    }
    if pair.modifier.is_some() {
        return Err(about(pair, Fault::unsupported("it takes no modifier.")));
    }
    let parsed = value::each(&pair.value, |name| {
        ResourceType::parse(name).ok_or_else(|| {
            let known: Vec<&str> = ResourceType::ALL.into_iter().map(ResourceType::as_str).collect();
            Fault::unsupported(format!(
                "`{}` is not searched here; {} are.",
                clip(name),
                known.join(", ")
            ))
        })
    });
    let mut kinds = parsed.map_err(|fault| about(pair, fault))?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

/// A search while its parameters are read.
struct SearchParser {
    query: Query,
    kinds: Vec<ResourceType>,
    /// The result parameters met: most must not be repeated.
    seen: Vec<ResultParam>,
    summary_count: bool,
}

impl SearchParser {
    fn new(level: Level, kind: ResourceType, others: Vec<ResourceType>) -> SearchParser {
        let clauses = Vec::new();
        let query = Query {
            others,
            level,
            ..Query::of(Criteria { kind, clauses })
        };
        SearchParser {
            kinds: query.kinds(),
            query,
            seen: Vec::new(),
            summary_count: false,
        }
    }

    fn read(mut self, pairs: &[Pair], handling: Handling, now: Timestamp) -> Result<Query, Vec<Issue>> {
        let mut issues = Vec::new();
        for pair in pairs {
            issues.extend(self.parameter(pair, handling, now).err());
        }
        let text_only = self.query.subset == Some(Subset::Text);
        if text_only && !self.query.includes.is_empty() {
            let text = "`_summary=text` and `_include` or `_revinclude` exclude each other; keep one.";
            issues.push(Issue::error(IssueCode::Invalid, text));
        }
        if self.summary_count {
            self.query.count = 0;
        }
        if issues.is_empty() {
            Ok(self.query)
        } else {
            Err(issues)
        }
    }

    fn parameter(&mut self, pair: &Pair, handling: Handling, now: Timestamp) -> Result<(), Issue> {
        if pair.name == TYPE && self.query.level == Level::System {
            self.apply(pair);
            return Ok(());
        }
        match meaning(&self.kinds, pair, NameCase::Exact) {
            Meaning::Search(definition) => {
                let clause = clause(definition, pair, now, pair)?;
                self.query.criteria.clauses.push(clause);
                self.apply(pair);
            }
            Meaning::Chain => {
                let clause = chain::parse(&self.kinds, pair, now)?;
                self.query.criteria.clauses.push(clause);
                self.apply(pair);
            }
            Meaning::Result(param) => self.result_param(param, pair)?,
            Meaning::Unknown if handling == Handling::Strict => return Err(unknown(&self.kinds, pair)),
            Meaning::Unknown => {}
        }
        Ok(())
    }

    fn apply(&mut self, pair: &Pair) {
        self.apply_as(pair, &pair.value);
    }

    fn apply_as(&mut self, pair: &Pair, value: &str) {
        let name = match &pair.modifier {
            Some(modifier) => format!("{}:{}", encode(&pair.name), encode(modifier)),
            None => encode(&pair.name),
        };
        self.query.applied.push((name, encode(value)));
    }

    fn result_param(&mut self, param: ResultParam, pair: &Pair) -> Result<(), Issue> {
        let repeats = matches!(param, ResultParam::Include | ResultParam::ReverseInclude);
        match pair.modifier.as_deref() {
            None => {}
            Some("iterate") if repeats => {}
            Some(_) if repeats => {
                let fault = Fault::unsupported(
                    "it takes no modifier but `:iterate`, which follows what is included too.",
                );
                return Err(about(pair, fault));
            }
            Some(_) => return Err(about(pair, Fault::unsupported("it takes no modifier."))),
        }
        if !repeats && self.seen.contains(&param) {
            return Err(about(pair, Fault::value("it is given more than once.")));
        }
        self.seen.push(param);
        self.shape(param, pair).map_err(|fault| about(pair, fault))
    }

    fn shape(&mut self, param: ResultParam, pair: &Pair) -> Result<(), Fault> {
        let value = pair.value.as_str();
        match param {
            ResultParam::Count => {
                self.query.count = count(value)?;
                let applied = self.query.count.to_string();
                self.apply_as(pair, &applied);
                return Ok(());
            }
            ResultParam::Cursor if value.is_empty() => return Err(Fault::value("the cursor is empty.")),
            ResultParam::Cursor => {
                self.query.cursor = Some(value.to_owned());
                return Ok(());
            }
            // Their values are for whoever renders the answer.
            ResultParam::Format | ResultParam::Pretty => {}
            ResultParam::Elements => {
                let elements = subset::elements(&self.kinds, value)?;
                self.part(Some(elements))?;
            }
            ResultParam::Include => self.include(Follow::Forward, pair)?,
            ResultParam::ReverseInclude => self.include(Follow::Backward, pair)?,
            ResultParam::Sort => self.query.sort = shape::sort(&self.kinds, value)?,
            ResultParam::Summary if value == "count" => self.summary_count = true,
            ResultParam::Summary => self.part(subset::of_search(value)?)?,
            ResultParam::Total => self.query.total = total(value)?,
        }
        self.apply(pair);
        Ok(())
    }

    /// Only a part of each resource is wanted.
    fn part(&mut self, subset: Option<Subset>) -> Result<(), Fault> {
        if subset.is_some() && self.query.subset.is_some() {
            return Err(Fault::value(
                "`_summary` and `_elements` exclude each other; keep one.",
            ));
        }
        self.query.subset = self.query.subset.take().or(subset);
        Ok(())
    }

    fn include(&mut self, follow: Follow, pair: &Pair) -> Result<(), Fault> {
        // Whatever is stored may be among the included.
        let iterates = pair.modifier.is_some();
        let from = if iterates {
            &ResourceType::ALL[..]
        } else {
            &self.kinds
        };
        let includes: Vec<Include> = shape::include(from, follow, &pair.value)?;
        for include in includes {
            if iterates && !self.query.iterated.contains(&include) {
                self.query.iterated.push(include);
            }
            if !self.query.includes.contains(&include) {
                self.query.includes.push(include);
            }
        }
        Ok(())
    }
}

/// A page size: more than [`MAX_COUNT`] is lowered to it, however many digits it has.
pub(in crate::query) fn count(text: &str) -> Result<u32, Fault> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::value(
            "the value is no number of resources; write 0 or more.",
        ));
    }
    Ok(text.parse().map_or(MAX_COUNT, |count: u32| count.min(MAX_COUNT)))
}

/// How to count — `_total`
pub(in crate::query) fn total(text: &str) -> Result<Total, Fault> {
    match text {
        "none" => Ok(Total::None),
        // An estimate may be exact.
        "estimate" | "accurate" => Ok(Total::Accurate),
        _ => Err(Fault::value(
            "the value is none of `none`, `estimate` and `accurate`.",
        )),
    }
}
