//! Names as people write them down: spelling, hyphens, particles, a second name left out.

/// Shorter names are too alike to be told from each other by a slip.
const SHORTEST_WITH_SLIP: usize = 4;

/// How two names stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Not at all.
    Different,
    /// One of them is not known.
    Unknown,
    /// But for one slip, or a part that one of them leaves out.
    Close,
    /// Entirely.
    Same,
}

/// The best of all pairs of family names: somebody known by two (married, at birth) is meant by either.
pub(super) fn families(asked: &[String], candidate: &[String]) -> Likeness {
    if asked.is_empty() || candidate.is_empty() {
        return Likeness::Unknown;
    }
    let pairs = asked
        .iter()
        .flat_map(|one| candidate.iter().map(move |other| words_alike(one, other)));
    pairs.max().unwrap_or(Likeness::Unknown)
}

/// The best of all pairs of lists of given names.
pub(super) fn givens(asked: &[Vec<String>], candidate: &[Vec<String>]) -> Likeness {
    if asked.is_empty() || candidate.is_empty() {
        return Likeness::Unknown;
    }
    let pairs = asked
        .iter()
        .flat_map(|one| candidate.iter().map(move |other| given_alike(one, other)));
    pairs.max().unwrap_or(Likeness::Unknown)
}

/// Lists of given names, the usual one first.
fn given_alike(one: &[String], other: &[String]) -> Likeness {
    let (Some(first), Some(other_first)) = (one.first(), other.first()) else {
        return Likeness::Unknown;
    };
    let usual = words_alike(first, other_first);
    let (rest, other_rest) = (
        one.get(1..).unwrap_or_default(),
        other.get(1..).unwrap_or_default(),
    );
    match usual {
        // Second names may be left out. When both say them, twins may differ by nothing else.
        Likeness::Same if rest.is_empty() || other_rest.is_empty() || rest == other_rest => Likeness::Same,
        Likeness::Same if is_beginning(rest, other_rest) || is_beginning(other_rest, rest) => Likeness::Same,
        Likeness::Same => Likeness::Different,
        Likeness::Different if is_initial(first, other_first) => Likeness::Close,
        Likeness::Close if !rest.is_empty() && !other_rest.is_empty() && rest != other_rest => {
            Likeness::Different
        }
        other => other,
    }
}

fn is_beginning(one: &[String], other: &[String]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

fn is_initial(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() {
        (one, other)
    } else {
        (other, one)
    };
    let short = short.trim_end_matches('.');
    short.chars().count() == 1 && long.starts_with(short)
}

/// Two names of one or several words.
fn words_alike(one: &str, other: &str) -> Likeness {
    let (joined, other_joined) = (joined(one), joined(other));
    if joined == other_joined {
        return Likeness::Same;
    }
    // One part of a double name: Martin of Martin-Durand. A particle alone is no name.
    let has_part = |whole: &str, part: &str| {
        let mut words = words(whole).filter(|word| word.chars().count() >= SHORTEST_WITH_SLIP);
        words.any(|word| word == part)
    };
    if has_part(one, &other_joined) || has_part(other, &joined) {
        return Likeness::Close;
    }
    let shortest = joined.chars().count().min(other_joined.chars().count());
    if shortest >= SHORTEST_WITH_SLIP && is_one_slip(&joined, &other_joined) {
        Likeness::Close
    } else {
        Likeness::Different
    }
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// Without what is left out or added between the words: `le gall`, `le-gall`, `legall`; `d'angelo`, `dangelo`.
fn joined(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// Whether one insertion, removal, exchange of a letter or of two neighbours makes one of the other.
pub(super) fn is_one_slip(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = if one.len() <= other.len() {
        (&one, &other)
    } else {
        (&other, &one)
    };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same_ahead = short
        .iter()
        .zip(long)
        .take_while(|(one, other)| one == other)
        .count();
    let same_behind = short
        .iter()
        .rev()
        .zip(long.iter().rev())
        .take_while(|(one, other)| one == other)
        .count();
    let left = short.len().saturating_sub(same_ahead + same_behind);
    if left == 0 || left == 1 {
        return true;
    }
    // Two neighbours in each other's place.
    left == 2 && short.len() == long.len() && {
        let pair = |letters: &[char]| letters.get(same_ahead..same_ahead + 2).map(<[char]>::to_vec);
        match (pair(short), pair(long)) {
            (Some(mut one), Some(other)) => {
                one.reverse();
                one == other
            }
            _ => false,
        }
    }
}
