//! Which processor cores a process computes on, as `taskset` sets it.
//!
//! Clients that ask as much as they can would otherwise take the cores of the server they measure.

use std::process::Command;

/// The cores of this process in two halves.
#[derive(Debug)]
pub struct Halves {
    all: String,
    first: String,
    second: String,
}

impl Halves {
    /// The cores that this process may use.
    ///
    /// # Panics
    /// When there is only one.
    pub fn of_this_process() -> Halves {
        let all = allowed(std::process::id());
        let (first, second) = halves(&all);
        assert!(
            !first.is_empty(),
            "one core only: clients and server cannot each have their own"
        );
        Halves { all, first, second }
    }

    /// Starts something on the first half: what this thread starts computes where the thread does. From here on the
    /// thread, and what it starts, has the second half.
    pub fn start_on_first<T>(&self, start: impl FnOnce() -> T) -> T {
        pin(std::process::id(), &self.first);
        let started = start();
        pin(std::process::id(), &self.second);
        started
    }

    /// Moves what already runs to the first half, with what it will start.
    pub fn move_to_first(&self, pid: u32) {
        pin(pid, &self.first);
    }

    /// Gives a process all of the cores back.
    pub fn set_free(&self, pid: u32) {
        pin(pid, &self.all);
    }
}

/// Lets this thread compute on the cores of a process, and only there.
///
/// # Panics
/// When there is no such process.
pub fn beside(pid: u32) {
    let thread = std::fs::read_link("/proc/thread-self").expect("Linux names the own thread");
    let thread = thread.file_name().and_then(|name| name.to_str()?.parse().ok());
    pin(thread.expect("threads have numbers"), &allowed(pid));
}

/// The cores that a process may use.
fn allowed(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the status of a process");
    let cores = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    cores
        .expect("Linux tells the cores of a process")
        .trim()
        .to_owned()
}

/// The cores of a list as Linux writes it, `0-2,5`, in two halves; the second is the larger.
fn halves(list: &str) -> (String, String) {
    let cores: Vec<u32> = list
        .split(',')
        .flat_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse::<u32>().expect("the number of a core");
            number(from)..=number(to)
        })
        .collect();
    let (first, second) = cores.split_at(cores.len() / 2);
    let listed = |cores: &[u32]| cores.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    (listed(first), listed(second))
}

/// The first thread of a process; threads and processes take it over from who starts them.
fn pin(pid: u32, cores: &str) {
    let output = Command::new("taskset")
        .args(["-c", "-p", cores, &pid.to_string()])
        .output()
        .expect("taskset is installed (util-linux)");
    assert!(
        output.status.success(),
        "taskset failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(test)]
mod tests {
    use super::{allowed, beside, halves};

    #[test]
    fn a_thread_moves_to_the_cores_of_a_process() {
        let all = allowed(std::process::id());
        let moved = std::thread::spawn(move || {
            beside(1);
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = format!("Cpus_allowed_list:\t{}\n", allowed(1));
            assert!(status.contains(&line), "{status}");
        });
        moved.join().unwrap();
        assert_eq!(allowed(std::process::id()), all, "nobody else moves");
    }

    #[test]
    fn a_list_of_cores_is_cut_in_the_middle() {
        let cut = |list| halves(list);
        assert_eq!(cut("0-1"), ("0".to_owned(), "1".to_owned()));
        assert_eq!(cut("0-2,5,8-9"), ("0,1,2".to_owned(), "5,8,9".to_owned()));
        assert_eq!(cut("3"), (String::new(), "3".to_owned()));
    }
}
