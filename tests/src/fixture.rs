//! Registers as earlier releases have left them: tests/fixtures/README.md.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::binary::{self, workspace};
use crate::register::Register;
use crate::store::Store;

/// What a release has left.
#[derive(Debug)]
pub struct Fixture {
    folder: PathBuf,
}

impl Fixture {
    /// That of a release, for example `0.1.0-ff791be`.
    pub fn of(release: &str) -> Self {
        Self {
            folder: fixtures().join(release),
        }
    }

    /// Those of all releases.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(fixtures()).unwrap();
        let mut folders: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders.into_iter().map(|folder| Self { folder }).collect()
    }

    /// Which release.
    pub fn release(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap()
    }

    /// A register that has it, and does not run yet.
    pub async fn register(&self, store: Store) -> Register {
        let register = Register::prepare(store, &[]).await;
        let statements = match store {
            Store::Sqlite => "sqlite.sql",
            Store::Postgres => "postgres.sql",
        };
        register.fill(&self.read("master.key"), &self.read(statements)).await;
        register
    }

    /// What the release said of all records, as [`told`] answers it.
    pub fn told(&self) -> Value {
        serde_json::from_str(&self.read("told.json")).unwrap()
    }

    fn read(&self, name: &str) -> String {
        let path = self.folder.join(name);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

fn fixtures() -> PathBuf {
    workspace().join("tests/fixtures")
}

/// What a register says of all its records: for each collection a list, the first record first, each with its history.
pub fn told(register: &Register) -> Value {
    let mut command = Command::new(binary::python());
    command.arg(fixtures().join("told.py")).arg(register.address());
    serde_json::from_str(&binary::run(&mut command).succeeded()).unwrap()
}
