//! Each call runs in a span that continues the caller's trace, so that the statement it makes keeps it.

use http::{Request, Response};
use lienthong_runtime::{TraceContext, trace};
use std::task::{Context, Poll};
use tower::{Layer, Service};
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};

/// Puts [`Traced`] around a service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TraceLayer;

impl<S> Layer<S> for TraceLayer {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced { inner }
    }
}

/// Opens a span for each call.
#[derive(Clone, Debug)]
pub(crate) struct Traced<S> {
    inner: S,
}

impl<S, In, Out> Service<Request<In>> for Traced<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
{
    type Response = Response<Out>;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let span = span(&request);
        let entered = span.enter();
        let answer = self.inner.call(request);
        drop(entered);
        answer.instrument(span)
    }
}

fn span<T>(request: &Request<T>) -> Span {
    let method = request.uri().path();
    let span = tracing::info_span!("grpc", method);
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    if let Some(context) = TraceContext::from_headers(header) {
        trace::set_parent(&span, &context);
    }
    span
}
