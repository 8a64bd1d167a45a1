//! The labs service alone.

use std::process::ExitCode;

use mingce_cases::{CaseRegister, Peers};
use mingce_ingest::peers::{Labs, awards, talent};
use mingce_labs::{LabRegister, TRIES};
use mingce_server::{Failure, Flags, Host, host};

/// The labs service of the register (名册) alone
#[derive(Debug, clap::Parser)]
#[command(name = "mingce-labs", version)]
struct Program {
    #[command(flatten)]
    flags: Flags,
    /// Where the talent service is, which knows reviewers; without it none can be assigned
    #[arg(long, env = "MINGCE_TALENT_URL", value_name = "URL")]
    talent_url: Option<String>,
    /// Where the awards service is, which knows who has awards together; without it no reviewer can be assigned
    #[arg(long, env = "MINGCE_AWARDS_URL", value_name = "URL")]
    awards_url: Option<String>,
}

fn main() -> ExitCode {
    host::main(std::env::args_os(), async |program: Program| {
        serve(program)
            .await
            .map(|()| ExitCode::SUCCESS)
            .map_err(|failure| failure.to_string())
    })
}

async fn serve(program: Program) -> Result<(), Failure> {
    let talent = program.talent_url.as_deref().map(talent).transpose()?;
    let awards = program.awards_url.as_deref().map(awards).transpose()?;
    let host = Host::start(program.flags).await?;
    // The key comes first: where its folder cannot be written, the database stays as it is.
    let vault = host.vault().await?;
    LabRegister::prepare(host.db(), false).await?;
    CaseRegister::prepare(host.db(), false).await?;
    let store = host.store(vault).await?;
    let service = LabRegister::new(store.clone(), host.calendar());
    // Organizations are known here.
    let peers = Peers {
        labs: Labs::in_process(&host.in_process()),
        talent,
        awards,
    };
    let (kinds, collections) = (LabRegister::kinds(), LabRegister::collections());
    let cases = CaseRegister::new(store, host.calendar(), kinds, collections, peers);
    let host = host.with(|server| service.mount(server));
    cases.serve(host, &TRIES, async { Ok(()) }).await
}
