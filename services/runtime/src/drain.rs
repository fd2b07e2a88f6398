//! The orderly end: named steps in a written order, each with a bound, and the signals that begin it.
//!
//! A step that does not end in time is given up and the next one runs: closing the ledger must not depend on whether a
//! client hangs up. A second signal gives up all that is left.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The steps of a shutdown, in order.
#[derive(Default)]
#[must_use = "a drain does nothing until it runs"]
pub struct Drain {
    steps: Vec<Step>,
}

struct Step {
    name: &'static str,
    bound: Duration,
    work: Work,
}

/// How one step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// It finished.
    Done,
    /// Its bound was over before it finished.
    OutOfTime,
    /// It panicked; the steps after it ran all the same.
    Panicked,
    /// The operator wanted to stop at once; it was interrupted or never begun.
    GivenUp,
}

/// What became of each step, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// Name, end and duration of each step.
    pub steps: Vec<(&'static str, StepEnd, Duration)>,
}

impl DrainReport {
    /// True when every step finished.
    pub fn is_clean(&self) -> bool {
        self.steps.iter().all(|(_, end, _)| *end == StepEnd::Done)
    }
}

impl Drain {
    /// No steps yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step. `work` is not polled before the steps before it are over.
    pub fn step(
        mut self,
        name: &'static str,
        bound: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.steps.push(Step { name, bound, work: Box::pin(work) });
        self
    }

    /// The longest that the whole can last.
    pub fn bound(&self) -> Duration {
        self.steps.iter().map(|step| step.bound).sum()
    }

    /// Runs the steps. When `at_once` completes (usually [`Signals::recv`]), what is left is given up.
    pub async fn run(self, at_once: impl Future) -> DrainReport {
        let mut report = DrainReport::default();
        let mut hurry = false;
        tokio::pin!(at_once);
        for Step { name, bound, work } in self.steps {
            let began = Instant::now();
            let end = if hurry {
                StepEnd::GivenUp
            } else {
                tracing::info!(step = name, bound_ms = bound.as_millis() as u64, "drain: step begins");
                tokio::select! {
                    biased;
                    _ = &mut at_once => {
                        hurry = true;
                        StepEnd::GivenUp
                    }
                    done = tokio::time::timeout(bound, AssertUnwindSafe(work).catch_unwind()) => match done {
                        Ok(Ok(())) => StepEnd::Done,
                        Ok(Err(_)) => StepEnd::Panicked,
                        Err(_) => StepEnd::OutOfTime,
                    },
                }
            };
            let took = began.elapsed();
            match end {
                StepEnd::Done => {
                    tracing::info!(step = name, took_ms = took.as_millis() as u64, "drain: step done")
                }
                StepEnd::OutOfTime => tracing::warn!(step = name, "drain: step out of time, going on"),
                StepEnd::Panicked => tracing::error!(step = name, "drain: step panicked, going on"),
                StepEnd::GivenUp => tracing::warn!(step = name, "drain: step given up"),
            }
            report.steps.push((name, end, took));
        }
        report
    }
}

/// SIGTERM and SIGINT, both an order to stop.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Starts listening. From here on the signals no longer end the process by themselves, so whoever calls this must
/// receive: the first begins the drain, the second ends it.
pub fn signals() -> std::io::Result<Signals> {
    Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
}

impl Signals {
    /// Waits for the next signal and returns its name. Cancel safe.
    pub async fn recv(&mut self) -> &'static str {
        tokio::select! {
            Some(()) = self.terminate.recv() => "SIGTERM",
            Some(()) = self.interrupt.recv() => "SIGINT",
            // Both streams end only with the runtime.
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::{Drain, StepEnd, signals};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn steps_run_in_order_and_a_stuck_one_costs_only_its_bound() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| {
            let order = Arc::clone(&order);
            async move { order.lock().expect("lock").push(name) }
        };
        let drain = Drain::new()
            .step("stop calls", SECOND, note("stop calls"))
            .step("let watchers go", 3 * SECOND, pending())
            .step("broken", SECOND, async { panic!("must not stop the drain") })
            .step("close the ledger", SECOND, note("close the ledger"));
        assert_eq!(drain.bound(), 6 * SECOND);
        let report = drain.run(pending::<()>()).await;
        assert_eq!(*order.lock().expect("lock"), ["stop calls", "close the ledger"]);
        assert_eq!(
            report.steps,
            [
                ("stop calls", StepEnd::Done, Duration::ZERO),
                ("let watchers go", StepEnd::OutOfTime, 3 * SECOND),
                ("broken", StepEnd::Panicked, Duration::ZERO),
                ("close the ledger", StepEnd::Done, Duration::ZERO),
            ]
        );
        assert!(!report.is_clean());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_order_gives_up_what_is_left() {
        let drain = Drain::new().step("first", SECOND, async {}).step("long", 60 * SECOND, pending()).step(
            "never",
            SECOND,
            async { panic!("must not be polled") },
        );
        let report = drain.run(tokio::time::sleep(2 * SECOND)).await;
        let ends: Vec<_> = report.steps.iter().map(|(_, end, took)| (*end, *took)).collect();
        assert_eq!(
            ends,
            [
                (StepEnd::Done, Duration::ZERO),
                (StepEnd::GivenUp, 2 * SECOND),
                (StepEnd::GivenUp, Duration::ZERO)
            ]
        );
    }

    #[tokio::test]
    async fn both_signals_are_heard() {
        use nix::sys::signal::{Signal, raise};
        let mut heard = signals().expect("signals");
        raise(Signal::SIGTERM).expect("raise");
        assert_eq!(heard.recv().await, "SIGTERM");
        raise(Signal::SIGINT).expect("raise");
        assert_eq!(heard.recv().await, "SIGINT");
    }
}
