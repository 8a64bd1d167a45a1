//! `mingce contract`: the contract as files, with all that it imports.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use mingce_proto::{DESCRIPTORS, FILES};

use crate::say;

/// The name of the descriptor set in the folder.
const DESCRIPTOR_SET: &str = "mingce.binpb";

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ContractArgs {
    /// Folder to write into; made where there is none. Files of the same names are replaced
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

pub(crate) fn run(args: &ContractArgs) -> anyhow::Result<ExitCode> {
    let texts = FILES.iter().map(|(name, text)| (*name, text.as_bytes()));
    for (name, bytes) in texts.chain([(DESCRIPTOR_SET, DESCRIPTORS)]) {
        let path = args.out.join(name);
        let cannot = || format!("{} cannot be written", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(cannot)?;
        }
        fs::write(&path, bytes).with_context(cannot)?;
    }
    say(&format!(
        "{} files and the descriptor set {DESCRIPTOR_SET} written to {}",
        FILES.len(),
        args.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}
