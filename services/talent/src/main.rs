//! The talent service alone.

use std::process::ExitCode;

use mingce_server::peers::labs;
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
    // The key comes first: where its folder cannot be written, the database stays as it is.
    let vault = host.vault().await?;
    TalentRegister::prepare(host.db(), false).await?;
    let service = TalentRegister::open(host.db().clone(), vault, labs(&program.labs_url)?).await?;
    let db = host
        .with(|server| service.mount(server))
        .serve(&TRIES, async { Ok(()) })
        .await?;
    service.close().await;
    db.close().await;
    Ok(())
}
