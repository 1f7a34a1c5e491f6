//! Where a resource stands in an order.

use std::cmp::Reverse;

use super::{Member, dates, strings, tokens};
use crate::limits::MAX_INDEXED_CHARS;
use crate::query::param::{ParamType, SearchParam, bounded, fold_string};
use crate::query::{Direction, SortKey};

/// Where a resource stands under a `_sort`, its row aside.
pub fn rank(sort: &[SortKey], one: &Member<'_>) -> Rank {
    let of = |key: &SortKey| match (sort_value(*key, one), key.direction) {
        (Some(value), Direction::Ascending) => RankPart::Ascending(value),
        (Some(value), Direction::Descending) => RankPart::Descending(Reverse(value)),
        (None, _) => RankPart::Missing,
    };
    Rank(sort.iter().map(of).collect())
}

/// The lesser one stands first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Vec<RankPart>);

/// What has no value comes last in either direction.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum RankPart {
    Ascending(SortValue),
    Descending(Reverse<SortValue>),
    Missing,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortValue {
    Time(i64),
    Text(String),
}

fn sort_value(key: SortKey, one: &Member<'_>) -> Option<SortValue> {
    let param = key.param;
    let cut = |text: &str| fold_string(text).chars().take(MAX_INDEXED_CHARS).collect();
    let mut values: Vec<SortValue> = match param.definition().kind {
        ParamType::Token if param == SearchParam::Id => vec![SortValue::Text(one.id.to_string())],
        ParamType::Token | ParamType::Uri => {
            let mut texts: Vec<String> = Vec::new();
            for token in tokens(param, one.resource) {
                texts.push(bounded(&token.code));
                // A versioned profile is found, and so stands, under its URL without version too.
                if let (SearchParam::Profile, Some((url, _))) = (param, token.code.split_once('|'))
                    && !url.is_empty()
                {
                    texts.push(bounded(url));
                }
            }
            texts.into_iter().map(SortValue::Text).collect()
        }
        ParamType::String => strings(param, one.resource)
            .into_iter()
            .map(cut)
            .map(SortValue::Text)
            .collect(),
        ParamType::Date => {
            let dates = dates(param, one.resource, one.updated).into_iter();
            dates.map(|range| SortValue::Time(range.low)).collect()
        }
        ParamType::Reference => Vec::new(),
    };
    values.sort_unstable();
    match key.direction {
        Direction::Ascending => values.into_iter().next(),
        Direction::Descending => values.pop(),
    }
}
