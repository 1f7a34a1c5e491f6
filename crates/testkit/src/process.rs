//! What the system says of a process: memory and open files, from /proc.

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

#[cfg(test)]
mod tests {
    use super::{anonymous_memory, descriptors};

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
