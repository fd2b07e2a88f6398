//! Spans, links and metrics as a real OTLP/gRPC receiver gets them, and the context as it crosses from span to span.
//! One test, because a process has one telemetry.

use std::time::Duration;

use lienthong_runtime::config::TelemetryConfig;
use lienthong_runtime::telemetry::{self, Identity};
use lienthong_runtime::{Metrics, TraceContext, trace};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

const BOUND: Duration = Duration::from_secs(20);
const REMOTE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OFFER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Passes on what arrives.
struct Receiver<T>(mpsc::Sender<T>);

#[tonic::async_trait]
impl TraceService for Receiver<ExportTraceServiceRequest> {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).await.map_err(|_| Status::unavailable("test is over"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver<ExportMetricsServiceRequest> {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.send(request.into_inner()).await.map_err(|_| Status::unavailable("test is over"))?;
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tokio::test]
async fn spans_links_and_metrics_reach_a_collector() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (spans_in, mut spans_out) = mpsc::channel(16);
    let (metrics_in, mut metrics_out) = mpsc::channel(16);
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Receiver(spans_in)))
            .add_service(MetricsServiceServer::new(Receiver(metrics_in)))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );

    // Even with logs all but off, spans are exported.
    let config = TelemetryConfig {
        log_level: "error".to_owned(),
        otlp_endpoint: Some(endpoint),
        ..TelemetryConfig::default()
    };
    let guard = telemetry::init(&config, Identity { node: "nut-1", version: "0.1.0" }).expect("telemetry");
    assert!(telemetry::init(&config, Identity { node: "nut-2", version: "0.1.0" }).is_err(), "only once");

    assert_eq!(TraceContext::current(), None, "outside any span");
    emit_spans();
    let metrics = Metrics::new(["so-tnmt".to_owned()]);
    metrics.command("OfferHandOff", "done", 0);
    metrics.commit(3, Duration::from_millis(2));
    metrics.outbox_waiting("so-tnmt", 5);
    metrics.quarantined("unheard-of", 9);
    tokio::time::timeout(BOUND, guard.shutdown()).await.expect("bounded").expect("flushed");

    // Shutdown returned, so everything has arrived: no waiting here.
    let mut spans: Vec<Span> = Vec::new();
    while let Ok(request) = spans_out.try_recv() {
        let groups = request.resource_spans.into_iter().flat_map(|group| group.scope_spans);
        spans.extend(groups.flat_map(|group| group.spans));
    }
    check_spans(&spans);
    let mut seen = Vec::new();
    while let Ok(request) = metrics_out.try_recv() {
        seen.push(request);
    }
    check_metrics(&seen);
}

fn emit_spans() {
    assert!(trace::is_exported());
    let call = tracing::info_span!(target: "lienthong_node::grpc", "accept");
    trace::set_parent(&call, &TraceContext::parse(REMOTE, "vnpt=a1").expect("valid"));
    trace::link(&call, &TraceContext::parse(OFFER, "").expect("valid"));
    call.in_scope(|| {
        let current = TraceContext::current().expect("in a span");
        assert_eq!(current.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736", "the caller's trace goes on");
        assert_ne!(current.traceparent(), REMOTE, "with a span of its own");
        assert_eq!(current.tracestate(), "vnpt=a1");
        // What the next node does with it.
        let next = tracing::info_span!(target: "lienthong_link", parent: None, "receive");
        trace::set_parent(&next, &current);
        let _entered = next.enter();
        // A span of a library stays at home.
        let _foreign = tracing::info_span!(target: "h2::client", "secret").entered();
    });
}

fn check_spans(spans: &[Span]) {
    let named = |name: &str| spans.iter().find(|span| span.name == name);
    let accept = named("accept").expect("the span arrived");
    let receive = named("receive").expect("the second span arrived");
    assert!(named("secret").is_none(), "spans of libraries are not exported");
    assert_eq!(accept.trace_id, TRACE);
    assert_eq!(accept.parent_span_id, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
    assert_eq!((&receive.trace_id, &receive.parent_span_id), (&accept.trace_id, &accept.span_id));
    assert_eq!(accept.links.len(), 1, "the offer is linked");
    assert_eq!(accept.links[0].span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
}

const TRACE: [u8; 16] =
    [0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36];

fn check_metrics(requests: &[ExportMetricsServiceRequest]) {
    let resource = requests[0].resource_metrics[0].resource.as_ref().expect("a resource");
    let attribute = |key: &str| resource.attributes.iter().any(|pair| pair.key == key);
    assert!(attribute("service.name") && attribute("service.instance.id") && attribute("service.version"));
    let metrics: Vec<_> = requests
        .iter()
        .flat_map(|request| &request.resource_metrics)
        .flat_map(|group| &group.scope_metrics)
        .flat_map(|group| &group.metrics)
        .collect();
    let named = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name);
        metric.unwrap_or_else(|| panic!("{name} is missing"))
    };
    let commands = named("lienthong.commands");
    assert_eq!(commands.unit, "{command}");
    assert!(!commands.description.is_empty());
    let Some(Data::Sum(sum)) = &commands.data else { panic!("a counter is a sum") };
    assert_eq!(sum.data_points[0].attributes.len(), 3);
    let Some(Data::Histogram(duration)) = &named("lienthong.commit.duration").data else {
        panic!("a histogram")
    };
    assert_eq!((duration.data_points[0].count, duration.data_points[0].sum), (1, Some(0.002)));
    let Some(Data::Gauge(waiting)) = &named("lienthong.outbox.waiting").data else { panic!("a gauge") };
    assert!(format!("{:?}", waiting.data_points).contains("so-tnmt"));
    let quarantined = format!("{:?}", named("lienthong.quarantined"));
    assert!(quarantined.contains("unlisted") && !quarantined.contains("unheard-of"));
}
