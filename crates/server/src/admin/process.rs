//! What Linux says of this process. Elsewhere there is nothing to say.

use std::fs;

/// In what `/proc/self/stat` tells processor time; `USER_HZ` is 100 on every Linux that this is built for.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where user and system time stand behind the command's name, which may hold blanks itself.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;

/// Memory in RAM, bytes.
pub fn resident_bytes() -> Option<f64> {
    Some(status("VmRSS:")? * 1024.0)
}

/// Threads.
pub fn threads() -> Option<f64> {
    status("Threads:")
}

/// Processor time so far, seconds.
pub fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some((ticks(USER_TIME)? + ticks(SYSTEM_TIME)?) / TICKS_PER_SECOND)
}

/// Open files and sockets.
pub fn open_files() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

/// How many there may be.
pub fn open_files_limit() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn status(name: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
