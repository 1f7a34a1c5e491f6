//! Small disks that can be filled: each a file system in memory, mounted for a test.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sweep::TemporaryFolder;

/// A disk of its own, unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    folder: TemporaryFolder,
}

impl Disk {
    /// Mounts a disk of this many mebibytes. `None` when this process may not: that takes root.
    pub fn mount(mebibytes: u32) -> Option<Disk> {
        let folder = TemporaryFolder::new("disk");
        let mounted = quietly(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
                .arg(folder.path()),
        );
        // Not made before: what was not mounted needs no unmounting.
        mounted.then(|| Disk { folder })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When something else than the end of the room ends it.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file on an own disk");
        // Large pieces first, then the rest of a piece.
        for size in [256 * 1024, 4096, 1] {
            let piece = vec![b'.'; size];
            loop {
                match ballast.write(&piece) {
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling a disk: {error}"),
                }
            }
        }
    }

    /// Gives back what [`Disk::fill`] took.
    pub fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that still has a file open there must not keep it.
        quietly(Command::new("umount").arg("-l").arg(self.path()));
    }
}

fn quietly(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
