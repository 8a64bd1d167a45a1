//! The awards service alone.

use std::process::ExitCode;

use mingce_awards::{AwardRegister, TRIES};
use mingce_server::peers::{labs, talent};
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
    let host = Host::start(program.flags).await?;
    AwardRegister::prepare(host.db(), false).await?;
    let service = AwardRegister::open(
        host.db().clone(),
        labs(&program.labs_url)?,
        talent(&program.talent_url)?,
    );
    let db = host
        .with(|server| service.mount(server))
        .serve(&TRIES, async { Ok(()) })
        .await?;
    service.close().await;
    db.close().await;
    Ok(())
}
