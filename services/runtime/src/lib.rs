//! What every Liên Thông process needs around its work, and nothing of the work itself: typed configuration, named
//! tasks, readiness, an orderly end, logs, traces and metrics. Depends on no other crate of the workspace, and is the
//! only one that names opentelemetry.

pub mod config;
pub mod drain;
pub mod metrics;
pub mod ready;
pub mod tasks;
pub mod telemetry;
pub mod trace;

pub use config::{Faults, NodeConfig};
pub use drain::{Drain, DrainReport, Signals, signals};
pub use metrics::Metrics;
pub use ready::{Latch, Readiness};
pub use tasks::{OnEnd, TaskGroup};
pub use telemetry::{Identity, TelemetryGuard};
pub use trace::TraceContext;
