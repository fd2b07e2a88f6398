//! Logs, traces and metrics of the process: set up once at start, flushed once at the end.
//!
//! Logs go to standard error; what libraries say below `info` is left out whatever the filter says, for they print what they
//! carry, and nobody vouches for them: the courier's client shows whole envelopes. Spans and metrics go over OTLP/gRPC when
//! an endpoint is configured. Only spans of our own crates are exported, whatever the log level: a collector never sees what
//! a library puts into its spans, and the export does not trace itself.

use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, TelemetryConfig};
use crate::trace;

/// The instrumentation scope, and the prefix of the targets whose spans are exported.
pub(crate) const SCOPE: &str = "lienthong";

/// One export call; a collector that is slower than this is treated as away and the batch is lost.
const EXPORT_BOUND: Duration = Duration::from_secs(5);

/// The last export at the end of the process, both kinds together.
const SHUTDOWN_BOUND: Duration = Duration::from_secs(6);

/// Who is sending, besides the configured service name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// `service.instance.id`: the configured name of the node.
    pub node: &'a str,
    /// `service.version`.
    pub version: &'a str,
}

/// Why telemetry could not be set up or flushed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is wrong.
    #[error("reading the log filter {filter:?}: {reason}")]
    Filter {
        /// What was configured.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The exporter could not be made.
    #[error("setting up the export to {endpoint}: {reason}")]
    Exporter {
        /// What was configured.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A subscriber was already installed in this process.
    #[error("installing the log subscriber: {0}")]
    AlreadyInitialised(String),
    /// The last batch may not have reached the collector.
    #[error("flushing telemetry: {0}")]
    Flush(String),
}

/// Holds the exporters. Dropping it loses the last batch: call [`TelemetryGuard::shutdown`].
#[derive(Debug)]
#[must_use = "without shutdown() the last batch is lost"]
pub struct TelemetryGuard {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// Sets up the whole process; a second call fails. With an endpoint it must be called inside a tokio runtime. The
/// collector need not be there yet. Make [`crate::Metrics`] afterwards, or they record nothing.
pub fn init(config: &TelemetryConfig, identity: Identity<'_>) -> Result<TelemetryGuard, TelemetryError> {
    let log_filter = EnvFilter::try_new(&config.log_level).map_err(|error| TelemetryError::Filter {
        filter: config.log_level.clone(),
        reason: error.to_string(),
    })?;
    let guard = providers(config, identity)?;
    let ours = filter_fn(trace::ids::is_ours).with_max_level_hint(LevelFilter::INFO);
    let vouched_for =
        filter_fn(|meta| meta.target().starts_with(SCOPE) || *meta.level() <= tracing::Level::INFO)
            // It leaves the highest level to the configured filter; without a word it would be all of them.
            .with_max_level_hint(LevelFilter::TRACE);
    let traces = match &guard.traces {
        Some(traces) => tracing_opentelemetry::layer()
            .with_tracer(traces.tracer(SCOPE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours)
            .boxed(),
        None => trace::ids::IdsOnly.with_filter(ours).boxed(),
    };
    let logs = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let logs = match config.log_format {
        LogFormat::Text => logs.boxed(),
        LogFormat::Json => logs.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(traces)
        .with(logs.with_filter(log_filter.and(vouched_for)))
        .try_init()
        .map_err(|error| TelemetryError::AlreadyInitialised(error.to_string()))?;
    // Only libraries log through `log`, sled on its hot paths: what is left out anyway must not become an event first.
    log::set_max_level(log::max_level().min(log::LevelFilter::Info));
    if let Some(metrics) = &guard.metrics {
        opentelemetry::global::set_meter_provider(metrics.clone());
    }
    trace::EXPORTED.store(guard.traces.is_some(), Ordering::Relaxed);
    Ok(guard)
}

fn providers(config: &TelemetryConfig, identity: Identity<'_>) -> Result<TelemetryGuard, TelemetryError> {
    let Some(endpoint) = &config.otlp_endpoint else {
        // Spans get ids, which are kept with statements and sent with them, and go nowhere.
        return Ok(TelemetryGuard { traces: None, metrics: None });
    };
    let wrong = |error: opentelemetry_otlp::ExporterBuildError| TelemetryError::Exporter {
        endpoint: endpoint.clone(),
        reason: error.to_string(),
    };
    let resource = Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.instance.id", identity.node.to_owned()))
        .with_attribute(KeyValue::new("service.version", identity.version.to_owned()))
        .build();
    let spans = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_BOUND)
        .build()
        .map_err(wrong)?;
    let numbers = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_BOUND)
        .build()
        .map_err(wrong)?;
    Ok(TelemetryGuard {
        traces: Some(
            SdkTracerProvider::builder().with_resource(resource.clone()).with_batch_exporter(spans).build(),
        ),
        metrics: Some(
            SdkMeterProvider::builder().with_resource(resource).with_periodic_exporter(numbers).build(),
        ),
    })
}

impl TelemetryGuard {
    /// Sends what is left and stops; an error when something may not have arrived. Bounded: a collector that is away
    /// costs six seconds at the most.
    pub async fn shutdown(self) -> Result<(), TelemetryError> {
        let Self { traces, metrics } = self;
        // The exporters block their caller, and what they wait for runs on this runtime. They get threads of their own
        // and not blocking tasks, because the end of the runtime would wait for those beyond the bound.
        let traces = on_a_thread(move || {
            let Some(traces) = traces else { return Ok(()) };
            // The result of the last export comes from the flush; shutdown alone answers Ok whatever happened.
            let flushed = traces.force_flush();
            flushed.and(traces.shutdown_with_timeout(SHUTDOWN_BOUND - EXPORT_BOUND))
        })?;
        let metrics = on_a_thread(move || metrics.map_or(Ok(()), |metrics| metrics.shutdown()))?;
        let lost = |reason: String| Err(TelemetryError::Flush(reason));
        match tokio::time::timeout(SHUTDOWN_BOUND, async { tokio::join!(traces, metrics) }).await {
            Ok((Ok(traces), Ok(metrics))) => traces.and(metrics).or_else(|error| lost(error.to_string())),
            Ok(_) => lost("an exporter panicked".to_owned()),
            Err(_) => lost(format!("not done after {SHUTDOWN_BOUND:?}")),
        }
    }
}

fn on_a_thread(
    work: impl FnOnce() -> OTelSdkResult + Send + 'static,
) -> Result<oneshot::Receiver<OTelSdkResult>, TelemetryError> {
    let (done, wait) = oneshot::channel();
    std::thread::Builder::new()
        .name("telemetry flush".to_owned())
        // Nobody waits any more when the bound is over.
        .spawn(move || done.send(work()).ok())
        .map_err(|error| TelemetryError::Flush(error.to_string()))?;
    Ok(wait)
}
