//! The signals that end a server: Ctrl-C and SIGTERM. The first drains it, the second ends it at once.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::start_error::StartError;

/// Resolves at the first signal; from then on the next one ends the process with code 130.
///
/// # Errors
/// Where the system does not let us wait for signals.
pub fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static, StartError> {
    let wait = |kind| signal(kind).map_err(|error| StartError::Signals(error.to_string()));
    let (mut interrupt, mut terminate) = (wait(SignalKind::interrupt())?, wait(SignalKind::terminate())?);
    Ok(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("ending: calls that run may finish; a second signal ends at once");
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            #[expect(clippy::disallowed_methods, reason = "a second signal ends at once")]
            std::process::exit(130);
        });
    })
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
