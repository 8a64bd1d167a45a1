//! The talent service alone.

use std::process::ExitCode;

use mingce_cases::{CaseRegister, Peers};
use mingce_ingest::peers::{Talent, awards, labs};
use mingce_server::{Failure, Flags, Host, host};
use mingce_talent::{TRIES, TalentRegister};

/// The talent service of the register (名册) alone
#[derive(Debug, clap::Parser)]
#[command(name = "mingce-talent", version)]
struct Program {
    #[command(flatten)]
    flags: Flags,
    /// Where the labs service is
    #[arg(long, env = "MINGCE_LABS_URL", value_name = "URL")]
    labs_url: String,
    /// Where the awards service is, which knows ranks in awards; without it eligibility by them is not answered, and no reviewer
    /// can be assigned
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
    let labs = labs(&program.labs_url)?;
    let awards = program.awards_url.as_deref().map(awards).transpose()?;
    let host = Host::start(program.flags).await?;
    // The key comes first: where its folder cannot be written, the database stays as it is.
    let vault = host.vault().await?;
    TalentRegister::prepare(host.db(), false).await?;
    CaseRegister::prepare(host.db(), false).await?;
    let store = host.store(vault).await?;
    let service = TalentRegister::new(store.clone(), host.calendar(), labs.clone(), awards.clone());
    // Reviewers are persons of this service.
    let peers = Peers {
        labs,
        talent: Some(Talent::in_process(&host.in_process())),
        awards,
    };
    let (kinds, collections) = (TalentRegister::kinds(), TalentRegister::collections());
    let cases = CaseRegister::new(store, host.calendar(), kinds, collections, peers);
    let host = host.with(|server| service.mount(server));
    cases.serve(host, &TRIES, async { Ok(()) }).await
}
