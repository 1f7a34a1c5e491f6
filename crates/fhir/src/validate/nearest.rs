//! The known name that a misspelt one probably means.

/// Longest name that is compared, in bytes: R4's own are shorter.
const MAX_NAME: usize = 40;

/// The candidate at most two slips (one in short names) away, letter case aside; the first of the nearest.
pub(super) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    if name.is_empty() || name.len() > MAX_NAME {
        return None;
    }
    let allowed = if name.len() < 5 { 1 } else { 2 };
    candidates
        .filter(|candidate| candidate.len() <= MAX_NAME)
        .map(|candidate| (distance(name.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// How many letters to change, add, drop or swap with their neighbour.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut left_before = None;
    for (row, l) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(last.len());
        current.push(row + 1);
        let mut right_before = None;
        for (column, r) in right.iter().enumerate() {
            let at = |cells: &[usize], column: usize| cells.get(column).copied().unwrap_or(usize::MAX / 2);
            let same = l.eq_ignore_ascii_case(r);
            let mut best = (at(&last, column) + usize::from(!same))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            if column > 0 && left_before == Some(r) && right_before == Some(l) {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            right_before = Some(r);
        }
        left_before = Some(l);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
}
