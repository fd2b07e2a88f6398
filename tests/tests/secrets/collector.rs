//! A collector of spans and metrics that keeps everything it is sent.

use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as traces;
use prost::Message;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// What came, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collector(Arc<Mutex<(Vec<u8>, usize)>>);

impl Collector {
    /// Starts one: where it listens, and what it gathers.
    pub(crate) async fn start() -> (String, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let collector = Self::default();
        let server = tonic::transport::Server::builder()
            .add_service(traces::trace_service_server::TraceServiceServer::new(collector.clone()))
            .add_service(metrics::metrics_service_server::MetricsServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (endpoint, collector)
    }

    fn keep(&self, message: &impl Message, spans: usize) {
        let mut kept = self.0.lock().expect("no panic while keeping");
        message.encode(&mut kept.0).expect("room");
        kept.1 += spans;
    }

    /// All bytes that came, and how many spans were in them.
    pub(crate) fn kept(&self) -> (Vec<u8>, usize) {
        self.0.lock().expect("no panic while keeping").clone()
    }
}

#[tonic::async_trait]
impl traces::trace_service_server::TraceService for Collector {
    async fn export(
        &self,
        request: Request<traces::ExportTraceServiceRequest>,
    ) -> Result<Response<traces::ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let spans = request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
        self.keep(&request, spans);
        Ok(Response::new(traces::ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Collector {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        self.keep(&request.into_inner(), 0);
        Ok(Response::new(metrics::ExportMetricsServiceResponse::default()))
    }
}
