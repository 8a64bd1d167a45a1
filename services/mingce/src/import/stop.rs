//! Somebody stops an import (Ctrl-C, or SIGTERM): what was sent is ended, and nothing more is sent. A second time ends at once.

use std::process;

use tokio::sync::watch;

/// The exit code of a program that was interrupted.
pub const INTERRUPTED: u8 = 130;

/// Whether to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// One that nobody asks for.
    pub fn never() -> Stop {
        Stop(watch::channel(false).1)
    }

    /// Listens for signals.
    pub fn listen() -> Stop {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            signal().await;
            let _ = sender.send(true);
            signal().await;
            #[expect(clippy::disallowed_methods, reason = "a second signal ends at once")]
            process::exit(i32::from(INTERRUPTED));
        });
        Stop(receiver)
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is asked for.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
