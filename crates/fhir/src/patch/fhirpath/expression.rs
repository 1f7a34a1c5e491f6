//! The FHIRPath that a patch may use: from the resource down to an element, by names, positions, `first()`, `last()`,
//! `where(…)`, `extension('url')` and `ofType(type)` — <http://hl7.org/fhirpath/N1/>
//!
//! Bounded in length and in the nesting of brackets: no expression can make its reader, or the reader of its
//! reader, run deep.

use crate::limits::{MAX_PATCH_PATH_CHARS, MAX_PATCH_PATH_DEPTH};

/// A path.
#[derive(Debug, PartialEq)]
pub(super) struct Path {
    /// The resource type that it begins with, when it does.
    pub(super) root: Option<String>,
    /// The steps down.
    pub(super) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// `name`
    Name(String),
    /// `[0]`
    Index(usize),
    /// `first()`
    First,
    /// `last()`
    Last,
    /// `where(condition)`
    Where(Condition),
    /// `extension('url')`
    Extension(String),
    /// `ofType(HumanName)`
    OfType(String),
}

/// What `where` asks of an element.
#[derive(Debug, PartialEq)]
pub(super) enum Condition {
    /// All of these.
    All(Vec<Condition>),
    /// Any of these.
    Any(Vec<Condition>),
    /// `path = literal`
    Equal(Path, Literal),
    /// `path != literal`
    Unequal(Path, Literal),
    /// `path.exists()`
    Exists(Path),
    /// `path.empty()`, `path.exists().not()`
    Empty(Path),
    /// `path`: it is true
    True(Path),
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// `'text'`, and `@2020-01-01` with it.
    Text(String),
    /// `true`
    Boolean(bool),
    /// `12`, `-1.5`
    Number(String),
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with "the path".
    pub(super) fn parse(text: &str) -> Result<Path, String> {
        if text.chars().count() > MAX_PATCH_PATH_CHARS {
            return Err(format!("is longer than {MAX_PATCH_PATH_CHARS} characters"));
        }
        let mut parser = Parser {
            text,
            rest: text,
            depth: 0,
        };
        let path = parser.path()?;
        match path.ending {
            Ending::None => {}
            Ending::Exists | Ending::Empty => {
                return Err("leads to a truth value, not to an element".to_owned());
            }
        }
        parser.space();
        if !parser.rest.is_empty() {
            return Err(parser.unexpected("the end or a '.'"));
        }
        if path.path.root.is_none() && path.path.steps.is_empty() {
            return Err(parser.unexpected("the name of an element"));
        }
        Ok(path.path)
    }
}

/// What stands behind the steps of a path in a condition.
#[derive(PartialEq)]
enum Ending {
    None,
    Exists,
    Empty,
}

struct Ended {
    path: Path,
    ending: Ending,
}

struct Parser<'p> {
    text: &'p str,
    rest: &'p str,
    depth: usize,
}

impl<'p> Parser<'p> {
    fn unexpected(&self, wanted: &str) -> String {
        let column = self.text.chars().count() - self.rest.chars().count() + 1;
        format!(
            "is not understood at character {column}: {wanted} is expected. A path of a patch is made of element names, \
             [positions], first(), last(), where(…), extension('url') and ofType(type)"
        )
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("'{token}'")))
        }
    }

    /// A word that is not the beginning of a longer one.
    fn take_word(&mut self, word: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(word) {
            Some(rest) if !rest.starts_with(is_name_character) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'p str {
        let end = self
            .rest
            .find(|character| !belongs(character))
            .unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        run
    }

    fn name(&mut self) -> Result<String, String> {
        self.space();
        if let Some(rest) = self.rest.strip_prefix('`') {
            let (name, after) = rest
                .split_once('`')
                .ok_or_else(|| self.unexpected("a closing '`'"))?;
            self.rest = after;
            return Ok(name.to_owned());
        }
        if !self
            .rest
            .starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        {
            return Err(self.unexpected("a name"));
        }
        Ok(self.run(is_name_character).to_owned())
    }

    fn path(&mut self) -> Result<Ended, String> {
        let mut path = Path {
            root: None,
            steps: Vec::new(),
        };
        if !self.take_word("$this") {
            let before = self.rest;
            let name = self.name()?;
            if name.starts_with(|first: char| first.is_ascii_uppercase()) {
                path.root = Some(name);
            } else {
                self.rest = before;
                if let Some(ending) = self.step(&mut path.steps)? {
                    return Ok(Ended { path, ending });
                }
            }
        }
        loop {
            if self.take("[") {
                self.space();
                let digits = self.run(|character| character.is_ascii_digit());
                let position = digits.parse().map_err(|_| self.unexpected("a position from 0"))?;
                self.expect("]")?;
                path.steps.push(Step::Index(position));
            } else if self.take(".") {
                if let Some(ending) = self.step(&mut path.steps)? {
                    return Ok(Ended { path, ending });
                }
            } else {
                return Ok(Ended {
                    path,
                    ending: Ending::None,
                });
            }
        }
    }

    /// One step behind a dot; an ending ends the path.
    fn step(&mut self, steps: &mut Vec<Step>) -> Result<Option<Ending>, String> {
        let name = self.name()?;
        if !self.take("(") {
            steps.push(Step::Name(name));
            return Ok(None);
        }
        let step = match name.as_str() {
            "first" => Step::First,
            "last" => Step::Last,
            "where" => Step::Where(self.condition()?),
            "extension" => match self.literal()? {
                Some(Literal::Text(url)) => Step::Extension(url),
                _ => return Err(self.unexpected("the extension's url in quotes")),
            },
            "ofType" => Step::OfType(self.name()?),
            "exists" => {
                self.expect(")")?;
                let is_negated = self.take(".not()");
                return Ok(Some(if is_negated { Ending::Empty } else { Ending::Exists }));
            }
            "empty" => {
                self.expect(")")?;
                let is_negated = self.take(".not()");
                return Ok(Some(if is_negated { Ending::Exists } else { Ending::Empty }));
            }
            _ => {
                return Err(format!(
                    "calls a function that a patch cannot use: {}(). There are first(), last(), where(…), \
                     extension('url') and ofType(type), and exists() and empty() inside where",
                    name.chars().take(64).collect::<String>()
                ));
            }
        };
        self.expect(")")?;
        steps.push(step);
        Ok(None)
    }

    /// `or` binds less than `and`.
    fn condition(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > MAX_PATCH_PATH_DEPTH {
            return Err(format!(
                "nests more than {MAX_PATCH_PATH_DEPTH} conditions: simplify it"
            ));
        }
        let mut any = vec![self.conjunction()?];
        while self.take_word("or") {
            any.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(only(any, Condition::Any))
    }

    fn conjunction(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.comparison()?];
        while self.take_word("and") {
            all.push(self.comparison()?);
        }
        Ok(only(all, Condition::All))
    }

    fn comparison(&mut self) -> Result<Condition, String> {
        if self.take("(") {
            let inner = self.condition()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let Ended { path, ending } = self.path()?;
        if path.root.is_some() {
            return Err(
                "has a condition that begins with a type: it begins with a name below the element".to_owned(),
            );
        }
        match ending {
            Ending::Exists => return Ok(Condition::Exists(path)),
            Ending::Empty => return Ok(Condition::Empty(path)),
            Ending::None => {}
        }
        let compare = if self.take("!=") {
            Condition::Unequal
        } else if self.take("=") {
            Condition::Equal
        } else {
            return Ok(Condition::True(path));
        };
        match self.literal()? {
            Some(literal) => Ok(compare(path, literal)),
            None => Err(self.unexpected("a text in single quotes, a number, true or false")),
        }
    }

    fn literal(&mut self) -> Result<Option<Literal>, String> {
        if self.take("'") {
            return self.quoted().map(|text| Some(Literal::Text(text)));
        }
        if self.take_word("true") {
            return Ok(Some(Literal::Boolean(true)));
        }
        if self.take_word("false") {
            return Ok(Some(Literal::Boolean(false)));
        }
        if self.take("@") {
            let date = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+'));
            return Ok(Some(Literal::Text(date.to_owned())));
        }
        let number = self.run(|c| c.is_ascii_digit() || matches!(c, '-' | '.'));
        let is_number = number.ends_with(|last: char| last.is_ascii_digit());
        Ok(is_number.then(|| Literal::Number(number.to_owned())))
    }

    /// The rest of a text whose opening quote has been taken.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next() {
                None => return Err(self.unexpected("a closing quote")),
                Some('\'') => break,
                Some('\\') => match characters.next() {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some('f') => text.push('\u{c}'),
                    Some('u') => {
                        let digits: String = characters.by_ref().take(4).collect();
                        let character = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                        text.push(character.ok_or_else(|| self.unexpected("four digits behind \\u"))?);
                    }
                    Some(escaped @ ('\'' | '"' | '`' | '\\' | '/')) => text.push(escaped),
                    _ => return Err(self.unexpected("a known escape behind '\\'")),
                },
                Some(other) => text.push(other),
            }
        }
        self.rest = characters.as_str();
        Ok(text)
    }
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn only(mut list: Vec<Condition>, several: impl Fn(Vec<Condition>) -> Condition) -> Condition {
    if list.len() > 1 {
        return several(list);
    }
    list.pop().unwrap_or(Condition::All(Vec::new()))
}
