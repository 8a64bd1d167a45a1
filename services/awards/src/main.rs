//! The awards service alone.

use std::process::ExitCode;

use mingce_awards::{AwardRegister, TRIES};
use mingce_cases::{CaseRegister, Peers};
use mingce_ingest::peers::{Awards, labs, talent};
use mingce_server::{Failure, Flags, Host, host};

/// The awards service of the register (名册) alone
#[derive(Debug, clap::Parser)]
#[command(name = "mingce-awards", version)]
struct Program {
    #[command(flatten)]
    flags: Flags,
    /// Where the labs service is
    #[arg(long, env = "MINGCE_LABS_URL", value_name = "URL")]
    labs_url: String,
    /// Where the talent service is
    #[arg(long, env = "MINGCE_TALENT_URL", value_name = "URL")]
    talent_url: String,
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
    let (labs, talent) = (labs(&program.labs_url)?, talent(&program.talent_url)?);
    let host = Host::start(program.flags).await?;
    // The key comes first: where its folder cannot be written, the database stays as it is.
    let vault = host.vault().await?;
    AwardRegister::prepare(host.db(), false).await?;
    CaseRegister::prepare(host.db(), false).await?;
    let store = host.store(vault).await?;
    let service = AwardRegister::new(store.clone(), host.calendar(), labs.clone(), talent.clone());
    // Who has awards together is known here.
    let peers = Peers {
        labs,
        talent: Some(talent),
        awards: Some(Awards::in_process(&host.in_process())),
    };
    let (kinds, collections) = (AwardRegister::kinds(), AwardRegister::collections());
    let cases = CaseRegister::new(store, host.calendar(), kinds, collections, peers);
    let host = host.with(|server| service.mount(server));
    cases.serve(host, &TRIES, async { Ok(()) }).await
}
