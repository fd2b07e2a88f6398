//! A node in this process: telemetry before it, the orders to stop it, and the written order of its end.

use anyhow::Context;
use lienthong_node::{Node, Running};
use lienthong_runtime::config::NodeConfig;
use lienthong_runtime::{Identity, Signals, TelemetryGuard, telemetry};

/// A node that runs here.
pub(crate) struct Hosted {
    running: Running,
    signals: Signals,
    telemetry: TelemetryGuard,
}

/// Starts a node and waits until it is ready, or is told to stop.
pub(crate) async fn start(config: NodeConfig) -> anyhow::Result<Hosted> {
    let identity = Identity { node: &config.node.name, version: env!("CARGO_PKG_VERSION") };
    let telemetry = telemetry::init(&config.telemetry, identity)?;
    let signals = lienthong_runtime::signals().context("listen for signals")?;
    let running = Node::start(&config, None).await?;
    Ok(Hosted { running, signals, telemetry })
}

impl Hosted {
    /// Where it serves gRPC.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// Waits for an order to stop. An error when the node has to stop by itself.
    pub(crate) async fn told_to_stop(&mut self) -> anyhow::Result<&'static str> {
        tokio::select! {
            signal = self.signals.recv() => Ok(signal),
            failure = self.running.failed() => match failure {
                Some(failure) => Err(anyhow::anyhow!("the node stops: {} {}", failure.task, failure.how)),
                None => Err(anyhow::anyhow!("the node stops by itself; its log says why")),
            },
        }
    }

    /// Drains it and ends it. A second signal cuts that short.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self { running, mut signals, telemetry } = self;
        let report = running.shutdown(async move { signals.recv().await }).await;
        telemetry.shutdown().await?;
        if report.is_clean() {
            return Ok(());
        }
        let unfinished = report.steps.iter().map(|(step, end, _)| format!("{step}: {end:?}"));
        anyhow::bail!("the node did not end cleanly: {}", unfinished.collect::<Vec<_>>().join("; "))
    }
}
