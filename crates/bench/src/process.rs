//! Memory and CPU of a process, from /proc.

/// Kernel ticks per second in /proc/PID/stat; fixed at 100 on every Linux that matters.
const TICKS_PER_SECOND: u64 = 100;

/// Anonymous resident memory in bytes: what the process itself uses, without mapped files.
pub fn anonymous_memory(pid: u32) -> Option<u64> {
    parse_anonymous(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

/// CPU time used so far, user and system, in microseconds; steps of 10 ms.
pub fn cpu_time(pid: u32) -> Option<u64> {
    parse_cpu(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_anonymous(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn parse_cpu(stat: &str) -> Option<u64> {
    // The name in parentheses may hold blanks; fields 14 and 15 count from before it.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * (1_000_000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::{anonymous_memory, cpu_time, parse_anonymous, parse_cpu};

    #[test]
    fn the_right_fields_are_read() {
        assert_eq!(
            parse_anonymous("Rss: 9 kB\nAnonymous:      1234 kB\nSwap: 1 kB\n"),
            Some(1234 * 1024)
        );
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 7 0 0 20 0 1";
        assert_eq!(parse_cpu(stat), Some(1_570_000));
        let own = std::process::id();
        assert!(anonymous_memory(own).unwrap() > 0);
        assert!(cpu_time(own).is_some());
    }
}
