//! A connection to another service, and calls over it.

use std::future::Future;
use std::time::{Duration, Instant};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use crate::retry;
use crate::transport::{InProcess, Transport};

/// How long a call may take where the caller has no deadline of its own.
const DEFAULT_TIME: Duration = Duration::from_secs(10);

/// What is kept back of the time for the way back, at most.
const RESERVE: Duration = Duration::from_millis(20);

/// Another service. Cheap to clone: all clones share a connection, which comes with the first call and again after each
/// loss, or none where the service is in the same process.
#[derive(Debug, Clone)]
pub struct Peer {
    name: &'static str,
    transport: Transport,
}

/// One try of a call.
#[derive(Debug, Clone)]
pub struct Attempt {
    transport: Transport,
    time: Duration,
    id: MetadataValue<Ascii>,
}

impl Attempt {
    /// What a generated client is made of.
    pub fn transport(&self) -> Transport {
        self.transport.clone()
    }

    /// How long this try may take.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// A request that tells the peer its deadline and the id of the call.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.time);
        request.metadata_mut().insert("x-request-id", self.id.clone());
        request
    }
}

impl Peer {
    /// A service by the name that errors call it and its URL, `http://host:port`. Connects with the first call.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the URL is none.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[allow(clippy::result_large_err)]
    pub fn lazy(name: &'static str, url: &str) -> Result<Self, Status> {
        let wrong = || {
            Status::invalid_argument(format!(
                "{url:?} is no URL of the service {name}: right is for example http://127.0.0.1:50051"
            ))
        };
        if !url.starts_with("http://") {
            return Err(wrong());
        }
        let channel = Endpoint::from_shared(url.to_owned())
            .map_err(|_| wrong())?
            .connect_timeout(Duration::from_secs(2))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10))
            .connect_lazy();
        let transport = Transport::Network(channel);
        Ok(Self { name, transport })
    }

    /// A service of this process by the name that errors call it.
    pub fn in_process(name: &'static str, services: &InProcess) -> Self {
        let transport = Transport::InProcess(services.clone());
        Self { name, transport }
    }

    /// The name that errors call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Calls until it works, the failure is none that passes, or the time is over. A peer that cannot be reached is
    /// called four times at most; one that has too much to do until the time is over. Only for calls that may run twice
    /// without harm.
    ///
    /// # Errors
    /// The last failure. A peer that cannot be reached is UNAVAILABLE and named.
    pub async fn call<T, F>(&self, deadline: Option<Instant>, attempt: impl Fn(Attempt) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let until = deadline.unwrap_or_else(|| Instant::now() + DEFAULT_TIME);
        let id = request_id();
        let mut number = 1;
        loop {
            let failure = match self.once(until, &id, &attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = retry::wait(number);
            let late = Instant::now() + wait + RESERVE >= until;
            if late || !retry::passes(&failure) || !retry::again(number, &failure) {
                return Err(failure);
            }
            tracing::debug!(peer = self.name, number, ?wait, code = ?failure.code(), "a call is tried again");
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    async fn once<T, F>(
        &self,
        until: Instant,
        id: &MetadataValue<Ascii>,
        attempt: &impl Fn(Attempt) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let late = || Status::deadline_exceeded(format!("the service {} did not answer in time", self.name));
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        // The peer is told a little less, so that its answer, be it a late one, still finds us here.
        let time = left - RESERVE.min(left / 10);
        let attempt = attempt(Attempt {
            transport: self.transport.clone(),
            time,
            id: id.clone(),
        });
        match tokio::time::timeout(left, attempt).await {
            Ok(result) => result.map_err(|status| retry::named(status, self.name)),
            Err(_) => Err(late()),
        }
    }
}

/// A fresh id, by which the logs of both sides can be put together.
fn request_id() -> MetadataValue<Ascii> {
    let id = format!("{:016x}", rand::random::<u64>());
    MetadataValue::try_from(id).unwrap_or_else(|_| MetadataValue::from_static("none"))
}
