//! What the audit trail and the log say of requests that are turned away unread, when as many are worked on as can be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use engine::Door;

/// At each door the first of each second gets a row and a line. Nobody has looked who sends them or what for, so that they
/// are neither interactions nor denials, and a row and a line for each of thousands a second would cost what is short,
/// and bury the rest. The metrics have each of them.
#[derive(Debug)]
pub struct TurnedAway {
    began: Instant,
    /// By door: the last second with a row, counted from 1.
    told: [AtomicU64; Door::ALL.len()],
}

impl TurnedAway {
    /// Nobody has been turned away.
    pub fn new(began: Instant) -> TurnedAway {
        TurnedAway {
            began,
            told: Default::default(),
        }
    }

    /// Whether this one gets a row and a line.
    pub fn is_told(&self, door: Door, now: Instant) -> bool {
        let second = now.saturating_duration_since(self.began).as_secs() + 1;
        let told = Door::ALL.iter().zip(&self.told).find(|(of, _)| **of == door);
        told.is_some_and(|(_, told)| told.fetch_max(second, Ordering::Relaxed) < second)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Door, Instant, TurnedAway};

    #[test]
    fn of_those_turned_away_the_first_of_each_second_is_told_at_each_door() {
        let began = Instant::now();
        let at = |millis: u64| began + Duration::from_millis(millis);
        let away = TurnedAway::new(began);
        let told: Vec<u64> = (0..3_500)
            .step_by(100)
            .filter(|&millis| away.is_told(Door::Fhir, at(millis)))
            .collect();
        assert_eq!(told, [0, 1_000, 2_000, 3_000]);
        for door in Door::ALL.into_iter().filter(|door| *door != Door::Fhir) {
            assert!(
                away.is_told(door, at(3_400)) && !away.is_told(door, at(3_500)),
                "{door:?}"
            );
        }
        // A clock read earlier than another's.
        assert!(!away.is_told(Door::Fhir, at(2_900)));
    }
}
