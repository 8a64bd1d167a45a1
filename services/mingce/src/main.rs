//! The one binary: what it can do, by subcommand.

mod check;
mod contract;
mod documents;
mod due;
mod duplicates;
mod export;
mod import;
mod imports;
mod lang;
mod merge;
mod replaced;
mod sample;
mod search;
mod serve;
mod unmerge;
mod wire;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mingce_server::host;

use crate::lang::Lang;

/// Mingce (名册): the register of key laboratories, talent and science awards. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "mingce", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves all services, or those that are named
    Serve(serve::ServeArgs),
    /// Loads a file into the register
    Import(import::ImportArgs),
    /// Lists what was imported, the newest first
    Imports(imports::ImportsArgs),
    /// Takes an import back as far as nobody built on it, and says what stays
    Undo(imports::UndoArgs),
    /// Shows what a file holds and drafts a mapping for it, or tries one; needs no server
    Check(check::CheckArgs),
    /// Writes a collection of the register to a file
    Export(export::ExportArgs),
    /// Finds resources by any of their names, or decisions by their document numbers
    Search(search::SearchArgs),
    /// Lists what falls due or waits, over all kinds and services, and who has to act
    Due(due::DueArgs),
    /// Lists pairs of records that may mean the same, with what to do
    Duplicates(duplicates::DuplicatesArgs),
    /// Says of two records that they are two, or takes that back
    Distinct(duplicates::DistinctArgs),
    /// Makes one record of two that mean the same
    Merge(merge::MergeArgs),
    /// Takes a merge back
    Unmerge(unmerge::UnmergeArgs),
    /// Writes the contract (.proto files with their imports, and a descriptor set) into a folder, to generate clients from
    Contract(contract::ContractArgs),
    /// Brings the tables of a database to this version
    Migrate(serve::MigrateArgs),
}

fn main() -> ExitCode {
    host::main(std::env::args_os(), async |cli: Cli| match cli.command {
        None => serve::run(cli.serve).await.map_err(|failure| failure.to_string()),
        Some(Command::Serve(args)) => serve::run(args).await.map_err(|failure| failure.to_string()),
        Some(Command::Migrate(args)) => serve::migrate(args).await.map_err(|failure| failure.to_string()),
        Some(Command::Import(args)) => {
            let lang = args.lang;
            ended(import::run(args).await, lang)
        }
        Some(Command::Imports(args)) => {
            let lang = args.lang;
            ended(imports::list(args).await, lang)
        }
        Some(Command::Undo(args)) => {
            let lang = args.lang;
            ended(imports::undo(args).await, lang)
        }
        Some(Command::Check(args)) => ended(check::run(&args), args.lang),
        Some(Command::Export(args)) => {
            let lang = args.lang;
            ended(export::run(args).await, lang)
        }
        Some(Command::Search(args)) => ended(search::run(args).await, None),
        Some(Command::Due(args)) => ended(due::run(args).await, None),
        Some(Command::Duplicates(args)) => ended(duplicates::list(args).await, None),
        Some(Command::Distinct(args)) => ended(duplicates::distinct(args).await, None),
        Some(Command::Merge(args)) => ended(merge::merge(args).await, None),
        Some(Command::Unmerge(args)) => ended(unmerge::unmerge(args).await, None),
        Some(Command::Contract(args)) => ended(contract::run(&args), None),
    })
}

/// How a command ended. A reader who has seen enough (`| head`) is no failure.
fn ended(result: anyhow::Result<ExitCode>, lang: Option<Lang>) -> Result<ExitCode, String> {
    result.or_else(|error| {
        let closed = |cause: &(dyn std::error::Error + 'static)| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(closed) {
            Ok(ExitCode::SUCCESS)
        } else {
            Err(Lang::of(lang).told(&error))
        }
    })
}

/// Says something on stdout.
fn say(line: &str) {
    // Nothing is left to do where stdout is closed.
    let _ = writeln!(io::stdout(), "{line}");
}
