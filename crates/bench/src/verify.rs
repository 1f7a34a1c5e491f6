//! After the load: is everything that was acknowledged there, once?

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use testkit::random::Random;

use crate::doors::Door;
use crate::load::{Line, Written, doors};
use crate::requests::{Plan, Writer};

/// Most identifiers looked for after one workload; a larger number is sampled.
const MOST_LOOKED_FOR: usize = 2000;
/// Connections that look for them.
const CONNECTIONS: usize = 16;

/// What the search found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Identifiers looked for.
    pub looked_for: u64,
    /// Those that more than one resource carries.
    pub doubled: u64,
    /// Those that no resource carries.
    pub lost: u64,
}

/// Looks for a sample of what was written.
pub fn written(plan: &Plan, written: &Written) -> Result<Verified, String> {
    let mut random = Random::new(plan.seed);
    let mut sample = |numbers: &[u64]| {
        let mut distinct = numbers.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        while distinct.len() > MOST_LOOKED_FOR {
            // Partial Fisher–Yates: a fair sample in front.
            for place in 0..MOST_LOOKED_FOR {
                let other = place + random.below(distinct.len() - place);
                distinct.swap(place, other);
            }
            distinct.truncate(MOST_LOOKED_FOR);
        }
        distinct
    };
    all(
        plan,
        &Written {
            accounts: sample(&written.accounts),
            patients: sample(&written.patients),
            partners: Door::ALL
                .into_iter()
                .flat_map(|door| {
                    let of_door = written.partners.iter().filter(|(of, _)| *of == door);
                    let numbers: Vec<u64> = of_door.map(|(_, number)| *number).collect();
                    sample(&numbers).into_iter().map(move |number| (door, number))
                })
                .collect(),
        },
    )
}

/// Looks for everything in `written`.
pub fn all(plan: &Plan, written: &Written) -> Result<Verified, String> {
    let accounts = count_each(plan, &written.accounts, |writer, number| {
        writer.find_account(number)
    })?;
    let patients = count_each(plan, &written.patients, |writer, number| {
        writer.find_patient(number)
    })?;
    let mut counts: Vec<usize> = accounts.into_iter().chain(patients).collect();
    for door in Door::ALL {
        let of_door = written.partners.iter().filter(|(of, _)| *of == door);
        let numbers: Vec<u64> = of_door.map(|(_, number)| *number).collect();
        counts.extend(count_each(plan, &numbers, |writer, number| {
            writer.find_of_door(doors(plan), door, number);
        })?);
    }
    Ok(Verified {
        looked_for: counts.len() as u64,
        doubled: counts.iter().filter(|count| **count > 1).count() as u64,
        lost: counts.iter().filter(|count| **count == 0).count() as u64,
    })
}

fn count_each(
    plan: &Plan,
    numbers: &[u64],
    find: impl Fn(&mut Writer<'_>, u64) + Sync,
) -> Result<Vec<usize>, String> {
    let next = AtomicUsize::new(0);
    let look =
        || {
            let (mut writer, mut line) = (Writer::new(plan), Line::new(plan));
            let mut counts = Vec::new();
            while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                find(&mut writer, *number);
                line.exchange(&writer.request)
                    .map_err(|failure| format!("while verifying: {failure}"))?;
                counts.push(matches(&line.response.body).ok_or_else(|| {
                    format!("a search after the load was not answered:\n{:?}", line.response)
                })?);
            }
            Ok::<Vec<usize>, String>(counts)
        };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(look)).collect();
        let mut all = Vec::new();
        for one in threads {
            all.extend(
                one.join()
                    .map_err(|_| "a verifying thread panicked".to_owned())??,
            );
        }
        Ok(all)
    })
}

/// How many resources a searchset holds, included ones and outcomes aside; `None` when it is none.
fn matches(body: &[u8]) -> Option<usize> {
    let bundle: Value = serde_json::from_slice(body).ok()?;
    if bundle["type"] != "searchset" {
        return None;
    }
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    let is_match = |entry: &&Value| {
        let mode = entry["search"]["mode"].as_str();
        mode.is_none_or(|mode| mode == "match") && entry["resource"]["resourceType"] != "OperationOutcome"
    };
    Some(entries.iter().filter(is_match).count())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn matches_are_counted_and_nothing_else() {
        let bundle = br#"{"resourceType":"Bundle","type":"searchset","entry":[
            {"resource":{"resourceType":"Patient"},"search":{"mode":"match"}},
            {"resource":{"resourceType":"Practitioner"},"search":{"mode":"include"}},
            {"resource":{"resourceType":"OperationOutcome"}},
            {"resource":{"resourceType":"Patient"}}]}"#;
        assert_eq!(matches(bundle), Some(2));
        assert_eq!(matches(br#"{"type":"searchset"}"#), Some(0));
        assert_eq!(matches(br#"{"resourceType":"OperationOutcome"}"#), None);
        assert_eq!(matches(b"not json"), None);
    }
}
