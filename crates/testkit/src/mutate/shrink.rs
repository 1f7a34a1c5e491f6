//! Makes a failing input small enough to read.

/// The smallest input found for which `fails` still holds, starting from `input`, for which it must hold.
/// Pieces are cut out, large ones first; `fails` is called at most 5 000 times.
pub fn shrink(input: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    /// Most calls of `fails`: it may start a server.
    const MOST_TRIALS: usize = 5000;
    let mut smallest = input.to_vec();
    let mut trials = 0;
    let mut piece = smallest.len().div_ceil(2).max(1);
    loop {
        let mut place = 0;
        let mut cut_something = false;
        while place < smallest.len() {
            if trials == MOST_TRIALS {
                return smallest;
            }
            trials += 1;
            let end = (place + piece).min(smallest.len());
            let candidate = [&smallest[..place], &smallest[end..]].concat();
            if fails(&candidate) {
                smallest = candidate;
                cut_something = true;
            } else {
                place = end;
            }
        }
        if piece == 1 && !cut_something {
            return smallest;
        }
        piece = (piece / 2).max(1);
    }
}
