//! A file system of a few megabytes that can be filled and freed.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk of its own, in memory; gone with the test.
pub struct SmallDisk {
    mount: tempfile::TempDir,
}

impl SmallDisk {
    /// A disk of so many KiB.
    pub fn new(kib: u32) -> SmallDisk {
        let mount = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]);
        let output = command.arg(mount.path()).output();
        let output =
            output.unwrap_or_else(|error| panic!("`mount` cannot be started ({error}): this test fills a disk"));
        assert!(
            output.status.success(),
            "a disk that can be filled cannot be mounted: run this test as root, or with CAP_SYS_ADMIN (docker run \
             --cap-add SYS_ADMIN, or `unshare --user --map-root-user --mount cargo test`): {}",
            String::from_utf8_lossy(&output.stderr)
        );
        SmallDisk { mount }
    }

    pub fn path(&self) -> &Path {
        self.mount.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all the room that is left, but so many KiB.
    pub fn fill_but(&self, kib: usize) {
        let mut file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        // To the last byte: then to the length that leaves what is to be left.
        while file.write_all(&[b'x'; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(kib as u64 * 1024)).unwrap();
    }

    /// Gives the room back.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while somebody has a file open there; what is left of it goes with the last one.
        let _ = Command::new("umount").arg("-l").arg(self.mount.path()).output();
    }
}
