//! Who is who: how far two Patients agree (PDQm ITI-119, `patient-identity.md` 3). Pure: [`Traits`] of both in, a
//! [`Judgement`] out; where candidates come from is the engine's affair.
//!
//! *Certain* must never be wrong, so it is asked for what twins, namesakes and relatives do not share: a personal
//! identifier, or all four of family, given, birth date and gender together with a trait that is the person's or the
//! household's. Whatever contradicts (another national identity, another number among twins) takes certainty away.

mod name;
mod traits;

#[cfg(test)]
mod tests;

pub use traits::{Traits, is_shared};

use name::{Likeness, families, givens};

/// How far a candidate agrees — <https://hl7.org/fhir/R4/valueset-match-grade.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It may be the same person.
    Possible,
    /// It is likely the same person.
    Probable,
    /// It is the same person.
    Certain,
}

impl Grade {
    /// The FHIR code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Grade::Possible => "possible",
            Grade::Probable => "probable",
            Grade::Certain => "certain",
        }
    }
}

/// What is to be said of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The grade.
    pub grade: Grade,
    /// From 0 to 1; every certain pair scores higher than every probable one, and those higher than the possible ones.
    pub score: f64,
    /// Whether a personal identifier says so.
    pub by_identifier: bool,
}

/// How two values of one trait stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    /// They are equal.
    Same,
    /// They differ as one slip of a pen would make them differ, or one says less than the other.
    Close,
    /// One of them is not known.
    Unknown,
    /// They differ.
    Different,
}

/// Compares two patients. `None`: they are certainly not the same.
pub fn judge(asked: &Traits, candidate: &Traits) -> Option<Judgement> {
    let names = Names::of(asked, candidate);
    let birth = asked.birth_agreement(candidate);
    let gender = asked.gender_agreement(candidate);
    let demographics = [names.family, names.given, birth, gender];
    let contradicted = asked.contradicts(candidate);
    if asked.shares_personal_identifier(candidate) && !contradicted {
        return Some(by_identifier(demographics));
    }
    let extra = asked.agreeing_traits(candidate);
    let graded = by_demographics(demographics, names.swapped, extra)?;
    // Another national identity, or another place among multiples: at most a namesake worth a look.
    let grade = if contradicted { Grade::Possible } else { graded };
    Some(Judgement {
        grade,
        score: score(grade, demographics, extra),
        by_identifier: false,
    })
}

/// Of several candidates that are certain by their demographics alone none is: one of them must be somebody else.
pub fn settle(judgements: &mut [Judgement]) {
    let by_demographics =
        |judgement: &&mut Judgement| judgement.grade == Grade::Certain && !judgement.by_identifier;
    let certain = judgements.iter_mut().filter(by_demographics).count();
    let is_identified = judgements
        .iter()
        .any(|judgement| judgement.by_identifier && judgement.grade == Grade::Certain);
    if certain > 1 || (certain == 1 && is_identified) {
        for judgement in judgements.iter_mut().filter(by_demographics) {
            judgement.grade = Grade::Probable;
            judgement.score = TOP_OF_PROBABLE;
        }
    }
}

const CERTAIN: f64 = 0.95;
const TOP_OF_PROBABLE: f64 = 0.94;
const PROBABLE: f64 = 0.6;
const POSSIBLE: f64 = 0.2;

/// The same number on two quite different people is a mistake in one of the records.
fn by_identifier(demographics: [Agreement; 4]) -> Judgement {
    let [family, given, birth, _] = demographics;
    let different = [family, given, birth]
        .into_iter()
        .filter(|one| *one == Agreement::Different)
        .count();
    let grade = if different >= 2 {
        Grade::Probable
    } else {
        Grade::Certain
    };
    Judgement {
        grade,
        score: if grade == Grade::Certain {
            1.0
        } else {
            TOP_OF_PROBABLE
        },
        by_identifier: true,
    }
}

fn by_demographics(demographics: [Agreement; 4], swapped: bool, extra: usize) -> Option<Grade> {
    let [family, given, birth, gender] = demographics;
    let count = |wanted: Agreement| demographics.into_iter().filter(|one| *one == wanted).count();
    let (same, different, unknown) = (
        count(Agreement::Same),
        count(Agreement::Different),
        count(Agreement::Unknown),
    );
    if same == 4 && !swapped {
        return Some(if extra > 0 {
            Grade::Certain
        } else {
            Grade::Probable
        });
    }
    // Family and given in each other's place are one difference, in two traits.
    let slips = count(Agreement::Close) + unknown + usize::from(swapped);
    let knows_who = [family, given, birth]
        .iter()
        .all(|one| *one != Agreement::Unknown);
    if different == 0 && slips == 1 && knows_who {
        return Some(Grade::Probable);
    }
    // What is left must rest on two of the three that tell people apart, or on one of them and another trait.
    let agreeing = [family, given, birth]
        .into_iter()
        .filter(|one| matches!(one, Agreement::Same | Agreement::Close))
        .count();
    let is_worth_a_look = match different {
        0 => agreeing >= 2,
        1 => {
            same == 3
                || (agreeing >= 2
                    && (gender != Agreement::Different || extra > 0)
                    && (same >= 2 || extra > 0))
        }
        2 => agreeing >= 1 && extra > 0 && same >= 2,
        _ => false,
    };
    is_worth_a_look.then_some(Grade::Possible)
}

/// Within its grade: the more agrees the higher.
fn score(grade: Grade, demographics: [Agreement; 4], extra: usize) -> f64 {
    let each = |agreement: Agreement| match agreement {
        Agreement::Same => 1.0,
        Agreement::Close => 0.7,
        Agreement::Unknown => 0.4,
        Agreement::Different => 0.0,
    };
    // At most four traits and three more: no digit is lost.
    let sum: f64 = demographics.into_iter().map(each).sum();
    let share = (sum + 0.5 * extra.min(3) as f64) / 5.5;
    let (low, high) = match grade {
        Grade::Certain => (CERTAIN, 0.99),
        Grade::Probable => (PROBABLE, TOP_OF_PROBABLE),
        Grade::Possible => (POSSIBLE, PROBABLE - 0.01),
    };
    let score = low + (high - low) * share;
    (score * 1_000.0).round() / 1_000.0
}

/// The best agreement of any name of one with any name of the other.
struct Names {
    family: Agreement,
    given: Agreement,
    /// Whether they agree only when family and given change places.
    swapped: bool,
}

impl Names {
    fn of(asked: &Traits, candidate: &Traits) -> Names {
        let straight = (
            families(&asked.families, &candidate.families),
            givens(&asked.givens, &candidate.givens),
        );
        let good = |likeness: Likeness| matches!(likeness, Likeness::Same | Likeness::Close);
        if !(good(straight.0) && good(straight.1)) {
            let crossed = (
                families(&asked.families, &candidate.given_words()),
                families(&asked.given_words(), &candidate.families),
            );
            if crossed == (Likeness::Same, Likeness::Same) {
                return Names {
                    family: Agreement::Same,
                    given: Agreement::Same,
                    swapped: true,
                };
            }
        }
        Names {
            family: straight.0.into(),
            given: straight.1.into(),
            swapped: false,
        }
    }
}

impl From<Likeness> for Agreement {
    fn from(likeness: Likeness) -> Agreement {
        match likeness {
            Likeness::Same => Agreement::Same,
            Likeness::Close => Agreement::Close,
            Likeness::Unknown => Agreement::Unknown,
            Likeness::Different => Agreement::Different,
        }
    }
}
