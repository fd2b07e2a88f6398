//! The task group: every background task has a name and says in advance what its end means.
//!
//! A task that ends when nobody asked is the commonest way for a daemon to live on as a shell of itself. So a fatal task
//! that ends, fails or panics before shutdown stops the process, and the log and exit code name it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
pub use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the end of a task before shutdown means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnd {
    /// The task has an end of its own (one connection, one export). Its failure is logged.
    Expected,
    /// The process cannot work without it: its end, error or panic starts the shutdown.
    Fatal,
}

/// A fatal task that ended before shutdown, or any that panicked after.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task {task} {how}")]
pub struct TaskFailure {
    /// The name under which the task was spawned.
    pub task: String,
    /// How it ended: `ended unasked`, `failed: <error>` or `panicked: <message>`.
    pub how: String,
}

/// Tasks that were still running when the bound of [`TaskGroup::join`] was over; they have been aborted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tasks still running after {bound:?}: {}", names.join(", "))]
pub struct StillRunning {
    /// Their names, in alphabetical order.
    pub names: Vec<String>,
    /// How long was waited.
    pub bound: Duration,
}

/// What a task may return: nothing, or a result whose error can be shown.
pub trait Ending {
    /// The text of the error, if it ended with one.
    fn failure(self) -> Option<String>;
}

impl Ending for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display> Ending for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| format!("{error:#}"))
    }
}

/// All tasks of a process. Clones share one group.
#[derive(Debug, Clone, Default)]
pub struct TaskGroup {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    shutdown: CancellationToken,
    tracker: TaskTracker,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    /// Blocking tasks have no abort handle.
    tasks: BTreeMap<u64, (String, Option<AbortHandle>)>,
    failure: Option<TaskFailure>,
}

impl TaskGroup {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It should end soon after [`TaskGroup::token`] is cancelled.
    pub fn spawn<F>(&self, name: impl Into<String>, on_end: OnEnd, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Ending,
    {
        let name = name.into();
        let inner = Arc::clone(&self.inner);
        // The number is taken first, so that a task that ends at once finds its row to remove.
        let id = self.inner.enter(&name);
        let handle = self.inner.tracker.spawn(async move {
            let entry = Entry { inner, id };
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            entry.inner.ended(name, on_end, ended.map(Ending::failure).map_err(panic_text));
        });
        self.inner.set_abort(id, handle.abort_handle());
    }

    /// Starts blocking work (disk, hashing) on a thread of its own, with the same rules. It cannot be aborted, so it must
    /// watch [`TaskGroup::token`] or end when its channel closes. Like [`TaskGroup::spawn`], call it inside a runtime.
    pub fn spawn_blocking<F, R>(&self, name: impl Into<String>, on_end: OnEnd, work: F) -> std::io::Result<()>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Ending,
    {
        let name = name.into();
        let inner = Arc::clone(&self.inner);
        let id = self.inner.enter(&name);
        let (done, wait) = oneshot::channel::<()>();
        let entry = Entry { inner, id };
        std::thread::Builder::new().name(name.clone()).spawn(move || {
            let ended = std::panic::catch_unwind(AssertUnwindSafe(work));
            entry.inner.ended(name, on_end, ended.map(Ending::failure).map_err(panic_text));
            drop(entry);
            drop(done);
        })?;
        self.inner.tracker.spawn(async move {
            // The sender is dropped, never used: both mean that the thread is over.
            let _ = wait.await;
        });
        Ok(())
    }

    /// Cancelled when the shutdown begins. Tasks select on `token.cancelled()`.
    pub fn token(&self) -> CancellationToken {
        self.inner.shutdown.clone()
    }

    /// Begins the shutdown.
    pub fn shut_down(&self) {
        self.inner.shutdown.cancel();
    }

    /// Waits until the shutdown begins; the failure is the fatal task that began it, if one did.
    pub async fn shutting_down(&self) -> Option<TaskFailure> {
        self.inner.shutdown.cancelled().await;
        self.failure()
    }

    /// The first failure that counts: a fatal task that ended unasked, or a panic.
    pub fn failure(&self) -> Option<TaskFailure> {
        self.inner.running().failure.clone()
    }

    /// The names of the tasks that run now, in alphabetical order.
    pub fn running(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.inner.running().tasks.values().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// Begins the shutdown and waits until every task is over, `bound` at the longest; then aborts the others and names
    /// them. Nothing can be spawned usefully afterwards.
    pub async fn join(&self, bound: Duration) -> Result<(), StillRunning> {
        self.shut_down();
        self.inner.tracker.close();
        if tokio::time::timeout(bound, self.inner.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        let names = self.running();
        for (_, abort) in self.inner.running().tasks.values() {
            if let Some(abort) = abort {
                abort.abort();
            }
        }
        Err(StillRunning { names, bound })
    }
}

/// Removes the task from the list when it ends, also when it is aborted.
struct Entry {
    inner: Arc<Inner>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.inner.running().tasks.remove(&self.id);
    }
}

impl Inner {
    /// The list is valid between any two statements, so a panic elsewhere does not spoil it.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &str) -> u64 {
        let mut running = self.running();
        running.next += 1;
        let id = running.next;
        running.tasks.insert(id, (name.to_owned(), None));
        id
    }

    fn set_abort(&self, id: u64, handle: AbortHandle) {
        if let Some((_, abort)) = self.running().tasks.get_mut(&id) {
            *abort = Some(handle);
        }
    }

    fn ended(&self, task: String, on_end: OnEnd, how: Result<Option<String>, String>) {
        let asked = self.shutdown.is_cancelled();
        let panicked = how.is_err();
        let how = match how {
            Ok(None) if asked || on_end == OnEnd::Expected => {
                tracing::debug!(task, "task ended");
                return;
            }
            Ok(None) => "ended unasked".to_owned(),
            Ok(Some(error)) => format!("failed: {error}"),
            Err(text) => format!("panicked: {text}"),
        };
        let fatal = on_end == OnEnd::Fatal && (panicked || !asked);
        if !fatal {
            tracing::warn!(task, how, "task failed");
            return;
        }
        tracing::error!(task, how, "fatal task is over, shutting down");
        self.running().failure.get_or_insert(TaskFailure { task, how });
        self.shutdown.cancel();
    }
}

fn panic_text(payload: Box<dyn std::any::Any + Send>) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests;
