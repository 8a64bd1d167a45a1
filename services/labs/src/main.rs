//! The labs service alone.

use std::process::ExitCode;

use mingce_labs::{LabRegister, TRIES};
use mingce_server::{Failure, Flags, Host, host};

/// The labs service of the register (名册) alone
#[derive(Debug, clap::Parser)]
#[command(name = "mingce-labs", version)]
struct Program {
    #[command(flatten)]
    flags: Flags,
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
    LabRegister::prepare(host.db(), false).await?;
    let service = LabRegister::open(host.db().clone());
    let db = host
        .with(|server| service.mount(server))
        .serve(&TRIES, async { Ok(()) })
        .await?;
    service.close().await;
    db.close().await;
    Ok(())
}
