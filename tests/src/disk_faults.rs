//! A disk that fails on command: a library in C under the real program, preloaded by the loader of the system.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What may fail.
pub const WRITES: u64 = 1;
/// Waiting until the disk has what was written.
pub const SYNCS: u64 = 2;
/// Cutting a file, or making it longer.
pub const TRUNCATIONS: u64 = 4;

/// `EIO`, `ENOSPC` and `EROFS` of Linux.
pub const ERRORS: [u64; 3] = [5, 28, 30];

/// The switch of one program's disk.
#[derive(Debug)]
pub struct DiskFaults {
    folder: TempDir,
    control: File,
    file: String,
}

/// The numbers of the control file, in the order of the library's struct.
enum Number {
    Calls,
    From,
    Until,
    Kinds,
    Error,
    Failed,
}

impl DiskFaults {
    /// Builds the library. It looks at files whose path contains `file`, or ends with it where a `$` follows.
    pub fn new(file: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mingce-disk.").tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/disk_faults.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(folder.path().join("disk_faults.so"))
            .arg(source)
            .arg("-ldl")
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let control = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(folder.path().join("control"))
            .unwrap();
        control.set_len(4096).unwrap();
        // A server of PostgreSQL is another user's.
        let open_to_all = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        open_to_all(folder.path(), 0o755);
        open_to_all(&folder.path().join("disk_faults.so"), 0o755);
        open_to_all(&folder.path().join("control"), 0o666);
        let file = file.to_owned();
        Self { folder, control, file }
    }

    /// What the environment of the program has to say.
    pub fn environment(&self) -> Vec<(String, PathBuf)> {
        vec![
            ("LD_PRELOAD".to_owned(), self.folder.path().join("disk_faults.so")),
            ("DISK_FAULTS_CONTROL".to_owned(), self.folder.path().join("control")),
            ("DISK_FAULTS_FILE".to_owned(), PathBuf::from(&self.file)),
        ]
    }

    /// From now on the calls of these kinds are counted from 1, and those from the `from`th on fail, `times` of them.
    pub fn fail(&self, kinds: u64, from: u64, times: u64, error: u64) {
        self.set(Number::Kinds, 0);
        self.set(Number::Calls, 0);
        self.set(Number::Failed, 0);
        self.set(Number::From, from);
        self.set(Number::Until, from.saturating_add(times));
        self.set(Number::Error, error);
        self.set(Number::Kinds, kinds);
    }

    /// The disk works again. How many calls have failed.
    pub fn heal(&self) -> u64 {
        self.set(Number::Kinds, 0);
        self.get(Number::Failed)
    }

    /// How many calls there were since [`Self::fail`].
    pub fn calls(&self) -> u64 {
        self.get(Number::Calls)
    }

    fn set(&self, number: Number, value: u64) {
        self.control.write_all_at(&value.to_ne_bytes(), at(number)).unwrap();
    }

    fn get(&self, number: Number) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, at(number)).unwrap();
        u64::from_ne_bytes(bytes)
    }
}

const fn at(number: Number) -> u64 {
    number as u64 * 8
}
