//! What the gRPC codec refuses before any handler sees it (text that is not UTF-8, a message above the limit) gets the
//! same clear error as everything else.

use super::refusal::{Refusal, status};
use http::{Request, Response};
use lienthong_core::reason::Reason;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::{Code, Status};
use tower::{Layer, Service};

/// Puts [`Refused`] around a service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RefusedLayer;

impl<S> Layer<S> for RefusedLayer {
    type Service = Refused<S>;

    fn layer(&self, inner: S) -> Refused<S> {
        Refused { inner }
    }
}

/// Looks at the status in the headers of each answer.
#[derive(Clone, Debug)]
pub(crate) struct Refused<S> {
    inner: S,
}

impl<S, In, Out> Service<Request<In>> for Refused<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    S::Future: Send + 'static,
{
    type Response = Response<Out>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            if let Some(refused) = Status::from_header_map(answer.headers()).and_then(|s| refused(&s)) {
                let headers = answer.headers_mut();
                headers.remove(Status::GRPC_STATUS);
                headers.remove(Status::GRPC_MESSAGE);
                headers.remove(Status::GRPC_STATUS_DETAILS);
                // It writes only ASCII headers of a status made here.
                let _ = refused.add_header(headers);
            }
            Ok(answer)
        })
    }
}

/// Beginnings of what tonic's codec says of a body that is no message (tonic 0.14; `tests/tests/bad_input` meets each).
const NO_MESSAGE: [&str; 6] = [
    "failed to decode Protobuf message",
    "protocol error: received message with invalid compression flag",
    "protocol error: received message with compressed-flag",
    "Error decompressing",
    "Unexpected EOF decoding stream",
    "Missing request message",
];

/// The clear error for one that tonic's codec made: those carry no details.
pub(super) fn refused(made: &Status) -> Option<Status> {
    if !made.details().is_empty() {
        return None;
    }
    let reason = match made.code() {
        Code::OutOfRange if made.message().contains("message length too large") => Reason::MessageTooLarge,
        Code::ResourceExhausted if made.message().starts_with("Error decompressing") => {
            Reason::MessageTooLarge
        }
        Code::Internal if NO_MESSAGE.iter().any(|start| made.message().starts_with(start)) => {
            Reason::Undecodable
        }
        _ => return None,
    };
    Some(status(&Refusal::from(reason)))
}
