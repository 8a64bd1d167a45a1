//! From services to a running server: configuration, listening, health, reflection, drain.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use mingce_client::InProcess;
use mingce_proto::budget::Budget;
use prost_reflect::DescriptorPool;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tower::Service;

use crate::config::Config;
use crate::layer::access_log::Access;
use crate::layer::admission::Bounds;
use crate::layer::concurrency_limit::ConcurrencyLimit;
use crate::layer::methods::{Methods, OPEN, Sizes};
use crate::layer::pipeline::{Parts, Pipeline};
use crate::layer::router::Mounts;
use crate::service::health::Health;
use crate::service::reflection;
use crate::start_error::StartError;
use crate::transport::accept::Acceptor;
use crate::transport::connection_service::Shared;
use crate::transport::waiting_calls::WaitingCalls;

/// An answer that has not moved for so long may be cut for others.
const STILL: Duration = Duration::from_secs(1);

/// A server in the making.
#[derive(Debug)]
pub struct Server {
    config: Config,
    descriptors: &'static [u8],
    mounts: Mounts,
    services: Vec<&'static str>,
    sizes: HashMap<String, usize>,
    listener: Option<TcpListener>,
    here: InProcess,
}

impl Server {
    /// A server without services.
    pub fn new(config: Config) -> Self {
        let (descriptors, mounts) = (mingce_proto::DESCRIPTORS, Mounts::default());
        Self {
            config,
            descriptors,
            mounts,
            services: Vec::new(),
            sizes: HashMap::new(),
            listener: None,
            here: InProcess::default(),
        }
    }

    /// How services of this process call each other, from `bind` on.
    pub fn in_process(&self) -> InProcess {
        self.here.clone()
    }

    /// Serves from another contract than that of the register: an encoded descriptor set with its imports and options.
    #[must_use]
    pub fn descriptors(mut self, encoded: &'static [u8]) -> Self {
        self.descriptors = encoded;
        self
    }

    /// Mounts a service.
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.services.push(S::NAME);
        self.mounts.add_service(service);
        self
    }

    /// Lets requests of one method be larger, by its path `/package.Service/Method`.
    #[must_use]
    pub fn request_limit(mut self, path: impl Into<String>, bytes: usize) -> Self {
        self.sizes.insert(path.into(), bytes);
        self
    }

    /// Takes the port already now, so that services of this process can be told each other's address.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn listen(&mut self) -> Result<SocketAddr, StartError> {
        let address = self.config.listen.clone();
        let failed = |error| StartError::Listen(unavailable(&address, &error));
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => TcpListener::bind(&address).await.map_err(failed)?,
        };
        let local = listener.local_addr().map_err(failed)?;
        self.listener = Some(listener);
        Ok(local)
    }

    /// Checks that all fits together and takes the port. Connections wait until `serve`.
    ///
    /// # Errors
    /// Where a method has no permission, a field of its answer no class, the contract lacks a service, or the address cannot
    /// be had.
    pub async fn bind(mut self) -> Result<Bound, StartError> {
        let contract =
            |what: &dyn std::fmt::Display| StartError::Contract(format!("the descriptor set cannot be read: {what}"));
        let mut pool = DescriptorPool::decode(self.descriptors).map_err(|e| contract(&e))?;
        for set in reflection::BESIDES {
            pool.decode_file_descriptor_set(set).map_err(|e| contract(&e))?;
        }
        let sizes = Sizes {
            unary: self.config.unary_bytes,
            message: self.config.message_bytes,
            methods: self.sizes.clone(),
        };
        let mounted: Vec<&str> = self.services.iter().copied().chain(OPEN).collect();
        let methods = Methods::read(&pool, &mounted, &sizes)?;

        let health = Health::default();
        for service in self.services.iter().copied().chain(["", OPEN[0]]) {
            health.set(service, ServingStatus::Serving);
        }
        self.mounts.add_service(health.clone());
        reflection::mount(&mut self.mounts, &pool, &self.services);

        let local = self.listen().await?;
        let listener = self
            .listener
            .ok_or_else(|| StartError::Listen(format!("{local} was given away")))?;
        if !local.ip().is_loopback() {
            tracing::warn!(
                "{local} is open to other machines: there is no TLS and no authentication, so let only a proxy reach it"
            );
        }
        let (ends, ending) = watch::channel(false);
        let times = self.config.times();
        let permits = ConcurrencyLimit::new(self.config.in_flight);
        let half_open = self.config.half_open_memory;
        let bounds = Bounds {
            permits: permits.clone(),
            half_open: WaitingCalls::new(half_open, half_open / 4, Duration::ZERO),
            budget: Budget::new(self.config.request_memory),
            request: times.request,
            default: times.default,
        };
        let shared = Arc::new(Shared {
            pipeline: Pipeline::new(Parts {
                methods,
                times,
                clock: self.config.clock.clone(),
                bounds,
                mounts: self.mounts,
            }),
            answers: WaitingCalls::new(self.config.answer_memory, self.config.answer_memory / 2, STILL),
            ending,
        });
        // Services hold this and are held by the pipeline.
        let within = Arc::downgrade(&shared);
        self.here.serve(move |request| {
            let within = within.upgrade();
            async move {
                match within {
                    Some(shared) => answered(shared.pipeline.in_process(request).await),
                    None => Status::unavailable("the server has ended").into_http(),
                }
            }
        });
        let acceptor = Acceptor::new(listener, shared, self.config.limits());
        Ok(Bound {
            acceptor,
            local,
            health,
            services: self.services,
            config: self.config,
            permits,
            ends,
        })
    }
}

/// A server that has its port.
pub struct Bound {
    acceptor: Acceptor,
    local: SocketAddr,
    health: Health,
    services: Vec<&'static str>,
    config: Config,
    permits: ConcurrencyLimit,
    ends: watch::Sender<bool>,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound")
            .field("local", &self.local)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl Bound {
    /// The address and port that it has.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where a service says that it is not well: by its full name, or "" for the whole.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Waits until the database turns out to be damaged or takes no writes any more. Then no service is well until the program is
    /// started again, which looks at the database anew, and the log says so once a minute.
    pub fn tell_of_trouble(&self) -> impl Future<Output = ()> + Send + 'static {
        let (health, services) = (self.health.clone(), self.services.clone());
        let mut heard = mingce_orm::db::sound::trouble();
        async move {
            if heard.wait_for(Option::is_some).await.is_err() {
                return;
            }
            for service in services.iter().copied().chain(["", OPEN[0]]) {
                health.set(service, ServingStatus::NotServing);
            }
            loop {
                if let Some(trouble) = *heard.borrow() {
                    tracing::error!("{}", trouble.remedy());
                }
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        }
    }

    /// Serves until `shutdown`, then lets running calls finish for a while. After it no call runs any more.
    ///
    /// # Errors
    /// Where the listener breaks.
    pub async fn serve(mut self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let broken =
            |error: io::Error| StartError::Listen(format!("{} takes no more connections: {error}", self.local));
        self.acceptor.run(shutdown).await.map_err(broken)?;

        for service in self.services.iter().copied().chain(["", OPEN[0]]) {
            self.health.set(service, ServingStatus::NotServing);
        }
        if !self.acceptor.is_empty() {
            self.acceptor
                .run(tokio::time::sleep(self.config.drain_notice))
                .await
                .map_err(broken)?;
        }
        self.ends.send_replace(true);
        let cut = self.acceptor.drain(self.config.drain_limit).await;
        if cut > 0 {
            tracing::warn!(
                connections = cut,
                "calls still ran at the end of the drain and were cut"
            );
        }
        if !self.permits.empty(Duration::from_secs(1)).await {
            tracing::warn!("a call still runs after the end of its connection");
        }
        Ok(())
    }
}

/// The answer of a call within the process: whoever asked has it.
fn answered(response: Result<Response<Body>, Infallible>) -> Response<Body> {
    let mut response = match response {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if let Some(access) = response.extensions_mut().remove::<Access>() {
        access.ok();
    }
    response
}

/// The URL at which this very process reaches a server of its own, also one that listens on all addresses.
pub fn loopback_url(local: SocketAddr) -> String {
    let ip = match local.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(ip, local.port()))
}

fn unavailable(address: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!(
                "{address} is in use: another program listens there or has a connection from that port; end it, or listen on another port (0 takes a free one)"
            )
        }
        ErrorKind::AddrNotAvailable => {
            format!("{address} is no address of this machine: 127.0.0.1 and 0.0.0.0 always are")
        }
        ErrorKind::PermissionDenied => format!("{address} is not for this user: ports from 1024 on are for everybody"),
        _ => format!("{address} cannot be listened on: {error}; right is for example 127.0.0.1:50051"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_reached_over_the_loopback() {
        for (local, url) in [
            ("0.0.0.0:5", "http://127.0.0.1:5"),
            ("[::]:5", "http://[::1]:5"),
            ("127.0.0.1:5", "http://127.0.0.1:5"),
            ("10.0.0.7:5", "http://10.0.0.7:5"),
        ] {
            assert_eq!(loopback_url(local.parse().unwrap()), url);
        }
    }
}
