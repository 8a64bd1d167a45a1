//! Files that are written as a whole: what was there before stays where writing fails.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};

/// A file beside the target that becomes it when it is whole.
pub fn beside(target: &Path) -> Result<(tempfile::NamedTempFile, File)> {
    let folder = target
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let cannot = || format!("cannot write {}", target.display());
    let beside = tempfile::Builder::new()
        .prefix(".mingce-")
        .tempfile_in(folder)
        .with_context(cannot)?;
    let file = beside.reopen().with_context(cannot)?;
    Ok((beside, file))
}

/// Writes a file as a whole: what was there before stays where writing fails.
pub fn replace(target: &Path, write: impl FnOnce(File) -> Result<()>) -> Result<()> {
    let (beside, file) = beside(target)?;
    write(file)?;
    beside
        .persist(target)
        .with_context(|| format!("cannot write {}", target.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("labs.csv");
        replace(&target, |mut file| Ok(file.write_all(b"old")?)).unwrap();
        let failed = replace(&target, |mut file| {
            file.write_all(b"half")?;
            anyhow::bail!("the server went away")
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
