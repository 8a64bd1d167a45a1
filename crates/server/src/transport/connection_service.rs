//! One connection's calls: each goes through the layers, and its answer becomes a body that keeps its permit, ends in time and is logged.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::watch;
use tonic::Code;
use tonic::body::Body;

use crate::call::status;
use crate::layer::CallInfo;
use crate::layer::access_log::Access;
use crate::layer::deadline;
use crate::layer::limited_body::PermitSlot;
use crate::layer::pipeline::Pipeline;
use crate::transport::connection_counter::Peer;
use crate::transport::response_body::{Answer, End, Reader};
use crate::transport::waiting_calls::WaitingCalls;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pipeline: Pipeline,
    /// Answers that are not read.
    pub(crate) answers: WaitingCalls,
    /// Turns true when the server ends.
    pub(crate) ending: watch::Receiver<bool>,
}

/// One connection's way to the services.
#[derive(Clone)]
pub(crate) struct ConnectionService(pub(crate) Arc<Shared>, pub(crate) Arc<Peer>);

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (shared, peer) = (Arc::clone(&self.0), Arc::clone(&self.1));
        request.extensions_mut().insert(Arc::clone(&peer));
        let answering = shared.pipeline.of_connection(request);
        Box::pin(async move { Ok(shared.answer(answering.await?, peer)) })
    }
}

impl Shared {
    fn answer(&self, mut response: Response<Body>, peer: Arc<Peer>) -> Response<Answer> {
        // A call that failed, or was none, is at its end.
        let Some(access) = response.extensions_mut().remove::<Access>() else {
            return response.map(Answer::bare);
        };
        let permit = response.extensions_mut().remove::<PermitSlot>();
        let until = access.call.deadline();
        if let Some(until) = until {
            deadline::cut_after(until);
        }
        let end = access.call.method.answers_stream.then(|| self.end(&access.call));
        let reader = Reader {
            peer,
            answers: self.answers.clone(),
        };
        response.map(|body| Answer::of(body, access, end, permit, reader))
    }

    /// What ends a streamed answer: its deadline; and where it would go on for ever, the end of the server.
    fn end(&self, call: &CallInfo) -> End {
        let (mut ending, machinery) = (self.ending.clone(), call.method.permission.is_none());
        let closes = async move {
            if !machinery || ending.wait_for(|ends| *ends).await.is_err() {
                std::future::pending::<()>().await;
            }
            status::own(
                Code::Unavailable,
                "SHUTTING_DOWN",
                "the server is ending: connect again",
            )
        };
        match call.deadline() {
            None => Box::pin(closes),
            Some(until) => Box::pin(async move {
                tokio::time::timeout_at(until.into(), closes)
                    .await
                    .unwrap_or_else(|_| deadline::exceeded())
            }),
        }
    }
}
