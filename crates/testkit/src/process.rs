//! What the system says of a process: memory, open files and processor time, from /proc.

use std::time::Duration;

/// One tick of the times in /proc: Linux shows a hundred of them a second on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// Anonymous resident memory in bytes: what the process itself uses, without the files that it maps.
pub fn anonymous_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Open descriptors.
pub fn descriptors(pid: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// Time on a core since the process began, its own and the kernel's for it.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and brackets; behind its last bracket `utime` and `stime` are the 12th and the 13th.
    let behind = stat.rsplit_once(')')?.1;
    let ticks = |place| behind.split_ascii_whitespace().nth(place)?.parse::<u64>().ok();
    Some(TICK * u32::try_from(ticks(11)? + ticks(12)?).ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{anonymous_memory, descriptors, processor_time};

    #[test]
    fn work_on_a_core_is_counted() {
        let own = std::process::id();
        let before = processor_time(own).unwrap();
        let mut sum = 0_u64;
        while processor_time(own).unwrap() < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(processor_time(u32::MAX).is_none());
    }

    #[test]
    fn an_open_file_and_a_touched_page_are_counted() {
        let own = std::process::id();
        let before = anonymous_memory(own).unwrap();
        let held = vec![1_u8; 8 * 1024 * 1024];
        assert!(anonymous_memory(own).unwrap() >= before + held.len() as u64 / 2);
        let files: Vec<_> = (0..200)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        assert!(descriptors(own).unwrap() >= files.len());
    }
}
