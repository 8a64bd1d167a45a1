//! What tonic alone can do: a service of one method, GetTalent, that answers the same person to everybody.
//!
//! It runs in a process of its own, takes the same requests and answers as many bytes as the register does, so that the
//! load on both is one and the same.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::Arc;
use std::task::{Context as Waker, Poll};

use anyhow::{Context, Result};
use mingce_proto::codec::Checked;
use mingce_proto::talent::{GetTalentRequest, Talent};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use crate::persons;

#[derive(Debug, Clone)]
struct Echo(Arc<Talent>);

impl UnaryService<GetTalentRequest> for Echo {
    type Response = Talent;
    type Future = BoxFuture<Response<Talent>, Status>;

    fn call(&mut self, request: Request<GetTalentRequest>) -> Self::Future {
        let person = Arc::clone(&self.0);
        Box::pin(async move {
            let name = request.into_inner().name;
            Ok(Response::new(Talent {
                name,
                ..Talent::clone(&person)
            }))
        })
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Waker<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move {
            Ok(Grpc::new(Checked::<Talent, GetTalentRequest>::default())
                .unary(method, request)
                .await)
        })
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "mingce.talent.v1.TalentService";
}

/// Serves until its standard input ends, which it does with the process that started it.
///
/// # Errors
/// Where it cannot listen.
pub async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port can be had")?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    let (gone, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = gone.send(());
    });
    let person = Talent {
        name: "talents/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        uid: "0193442b-1e95-7b55-a1d1-23456789abcd".to_owned(),
        etag: "\"r1\"".to_owned(),
        revision: 1,
        record_status: 1,
        birth_date: String::new(),
        birth_year: 1970,
        ..persons::talent(1)
    };
    let served = tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(Echo(Arc::new(person)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::select! {
        served = served => served.context("the echo cannot serve"),
        _ = ended => Ok(()),
    }
}
