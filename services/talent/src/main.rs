//! The talent service alone.

use std::process::ExitCode;

use mingce_cases::{CaseRegister, Peers};
use mingce_server::peers::{Talent, awards, labs};
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
    let service = TalentRegister::open(host.db().clone(), vault, host.calendar(), labs.clone(), awards.clone()).await?;
    // Reviewers are persons of this service.
    let peers = Peers {
        labs,
        talent: Some(Talent::in_process(&host.in_process())),
        awards,
    };
    let cases = CaseRegister::of_host(&host, TalentRegister::kinds(), TalentRegister::collections(), peers).await?;
    let time = cases.keep_time(host.clock());
    let db = host
        .with(|server| cases.mount(service.mount(server)))
        .serve(&TRIES, async { Ok(()) })
        .await?;
    time.end().await;
    cases.close().await;
    service.close().await;
    db.close().await;
    Ok(())
}
