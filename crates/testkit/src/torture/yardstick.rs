//! How fast the machine is from moment to moment. A core that is shared with other machines' work does a tenth less in
//! one minute than in the next, and a server that is asked for most of what a core can do shows that many times over.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::random::Random;

/// Cells that are walked through: 512 KiB, so that the caches count as well.
const CELLS: usize = 128 * 1024;
/// Steps of a measurement: about a tenth of a millisecond.
const STEPS: usize = 25_000;
/// Measurements of which the shortest counts.
const TIMES: usize = 8;

/// Work that is always the same.
#[derive(Debug)]
pub struct Yardstick {
    /// Where to go from each cell: one way through all of them.
    next: Vec<u32>,
}

impl Yardstick {
    /// The work, ready to be done.
    pub fn new() -> Yardstick {
        let mut random = Random::new(32);
        let mut order: Vec<u32> = (0..CELLS as u32).collect();
        for place in (1..CELLS).rev() {
            order.swap(place, random.below(place + 1));
        }
        let mut next = vec![0; CELLS];
        for (place, cell) in order.iter().enumerate() {
            next[*cell as usize] = order[(place + 1) % CELLS];
        }
        Yardstick { next }
    }

    /// Does it several times; the shortest, in which nobody else had the core.
    pub fn measure(&self) -> Duration {
        // What others have driven out of the caches comes back first.
        self.walk(CELLS);
        let once = |_| {
            let begin = Instant::now();
            self.walk(STEPS);
            begin.elapsed()
        };
        (0..TIMES).map(once).min().unwrap_or_default()
    }

    fn walk(&self, steps: usize) {
        let last = (0..steps).fold(0_u32, |cell, _| self.next[cell as usize]);
        black_box(last);
    }
}

impl Default for Yardstick {
    fn default() -> Yardstick {
        Yardstick::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{CELLS, Yardstick};

    #[test]
    fn the_way_leads_through_every_cell() {
        let yardstick = Yardstick::new();
        let mut seen = vec![false; CELLS];
        let mut cell = 0;
        while !std::mem::replace(&mut seen[cell], true) {
            cell = yardstick.next[cell] as usize;
        }
        assert!(seen.iter().all(|seen| *seen));
        assert!(!yardstick.measure().is_zero());
    }
}
