//! How a task is ended from outside: a call that waits too long, or a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Tells a task that it is to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut(Arc<(AtomicBool, AtomicWaker)>);

impl Cut {
    /// Ends it.
    pub(crate) fn now(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.wake();
    }

    /// Whether it is to end.
    pub(crate) fn is_now(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    /// Ready once it is to end. One task at a time may wait.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.1.register(cx.waker());
        if self.is_now() { Poll::Ready(()) } else { Poll::Pending }
    }
}
