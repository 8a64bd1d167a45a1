//! Until when a call may run: `grpc-timeout`, a default and a maximum, and an end to streams that nobody reads.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request};
use tonic::{Code, Status};

use super::{Answering, CallInfo, Inner, RequestBody, refuse, unknown_call};
use crate::call::status;
use crate::transport::cut::Cut;

/// When the caller stops waiting. Among the extensions of each request that has an end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Instant);

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Where the caller says nothing.
    pub(crate) default: Duration,
    /// Whatever the caller says.
    pub(crate) maximum: Duration,
    /// Until the one message of a unary call is whole.
    pub(crate) request: Duration,
}

impl Times {
    /// The time that a call has: a stream that says nothing gets the maximum, an `endless` one no end
    /// unless it asks.
    pub(crate) fn of(&self, headers: &HeaderMap, stream: bool, endless: bool) -> Result<Option<Duration>, Status> {
        let asked = match headers.get("grpc-timeout") {
            None => None,
            Some(value) => Some(value.to_str().ok().and_then(parse).ok_or_else(malformed)?),
        };
        Ok(match asked {
            Some(asked) => Some(asked.min(self.maximum)),
            None if endless => None,
            None if stream => Some(self.maximum),
            None => Some(self.default),
        })
    }
}

/// The layer: a call has so long as its caller says, within bounds. A streamed answer has to begin in good time, also one without an end.
pub(crate) fn deadline<B: RequestBody, S: Inner<B>>(
    times: &Times,
    inner: &mut S,
    mut request: Request<B>,
) -> Answering {
    let Some(call) = CallInfo::of(&request) else {
        return refuse(request, unknown_call());
    };
    let method = &call.method;
    let time = match times.of(request.headers(), method.streams, method.endless) {
        Ok(time) => time,
        Err(malformed) => return refuse(request, malformed),
    };
    let until = time.map(|time| call.started + time);
    let _ = call.deadline.set(until);
    if let Some(until) = until {
        request.extensions_mut().insert(Deadline(until));
    }
    let begun = until.unwrap_or(call.started + times.default);
    let answering = inner.call(request);
    Box::pin(async move {
        tokio::time::timeout_at(begun.into(), answering)
            .await
            .unwrap_or_else(|_| Ok(exceeded().into_http()))
    })
}
/// Reads `grpc-timeout`: one to eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(amount * 3600),
        'M' => Duration::from_secs(amount * 60),
        'S' => Duration::from_secs(amount),
        'm' => Duration::from_millis(amount),
        'u' => Duration::from_micros(amount),
        'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

fn malformed() -> Status {
    let message = "grpc-timeout must be one to eight digits and a unit of H, M, S, m, u or n, for example 500m";
    status::own(Code::InvalidArgument, "TIMEOUT_MALFORMED", message)
}

/// The answer to a call whose time is over.
pub(crate) fn exceeded() -> Status {
    let message = "the time for this call is over; whether it took effect is not known: read before you retry";
    status::own(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
}

/// How the task of an HTTP/2 stream is ended from outside.
#[derive(Debug, Default)]
struct Life {
    /// When. Set once its answer has begun.
    last: Cell<Option<Instant>>,
    /// Or at once. There once its answer is counted among those that wait.
    cut: OnceCell<Cut>,
}

tokio::task_local! {
    static LIFE: Life;
}

/// How much longer than its deadline an answer may take to be read.
const GRACE: Duration = Duration::from_secs(1);

/// Lets the task of the current stream end soon after `deadline`, also if the caller reads nothing of the answer: then
/// hyper waits for room to write and asks the body no more.
pub(crate) fn cut_after(deadline: Instant) {
    let _ = LIFE.try_with(|life| life.last.set(Some(deadline + GRACE)));
}

/// Ends the task of the current stream at any time.
pub(crate) fn cut() -> Cut {
    LIFE.try_with(|life| life.cut.get_or_init(Cut::default).clone())
        .unwrap_or_default()
}

/// Whether the task of the current stream is to end.
pub(crate) fn is_cut() -> bool {
    LIFE.try_with(|life| life.cut.get().is_some_and(Cut::is_now))
        .unwrap_or(false)
}

/// Runs the tasks of hyper's streams, each under its own end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(LIFE.scope(Life::default(), bounded(stream)));
    }
}

async fn bounded<F: Future<Output = ()>>(stream: F) {
    let mut stream = pin!(stream);
    let mut end = None;
    std::future::poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() || poll_cut(cx).is_ready() {
            return Poll::Ready(());
        }
        if end.is_none() {
            end = LIFE
                .with(|life| life.last.get())
                .map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        }
        end.as_mut().map_or(Poll::Pending, |end| end.as_mut().poll(cx))
    })
    .await;
}

fn poll_cut(cx: &mut Context<'_>) -> Poll<()> {
    LIFE.with(|life| life.cut.get().map_or(Poll::Pending, |cut| cut.poll(cx)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        default: Duration::from_secs(30),
        maximum: Duration::from_secs(600),
        request: Duration::from_secs(10),
    };

    fn of(text: Option<&str>, stream: bool, endless: bool) -> Result<Option<Duration>, Status> {
        let mut headers = HeaderMap::new();
        if let Some(text) = text {
            headers.insert("grpc-timeout", text.parse().unwrap());
        }
        TIMES.of(&headers, stream, endless)
    }

    #[test]
    fn a_call_has_the_time_it_asks_for_up_to_the_maximum() {
        assert_eq!(of(Some("1m"), false, false).unwrap(), Some(Duration::from_millis(1)));
        assert_eq!(of(Some("99999999H"), false, false).unwrap(), Some(TIMES.maximum));
        assert_eq!(of(None, false, false).unwrap(), Some(TIMES.default));
        assert_eq!(of(None, true, false).unwrap(), Some(TIMES.maximum));
        assert_eq!(of(None, true, true).unwrap(), None);
        assert_eq!(of(Some("2S"), true, true).unwrap(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_malformed_timeout_is_refused() {
        for text in ["", "m", "1", "1s", "-1S", "123456789S", "1.5S", "1 S", "１S"] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_bytes(text.as_bytes()).unwrap());
            assert_eq!(
                TIMES.of(&headers, false, false).unwrap_err().code(),
                Code::InvalidArgument,
                "{text:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_nobody_reads_ends_after_its_deadline() {
        let started = tokio::time::Instant::now();
        let stuck = async {
            cut_after(started.into_std() + Duration::from_secs(5));
            std::future::pending::<()>().await;
        };
        LIFE.scope(Life::default(), bounded(stuck)).await;
        assert_eq!(started.elapsed().as_secs(), 6);
    }
}
