//! Runs a nats-server of our own on loopback: for `lienthong dev`, for tests and for benches.

mod guard;
mod startup;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use guard::Guard;

/// How long a start may take: JetStream reads its store first, on a slow disk under load.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How long a graceful stop may take before the server is killed.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How to start a server.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// The nats-server binary.
    pub binary: PathBuf,
    /// Holds its configuration, its log and what JetStream keeps (below `jetstream/`). Made when missing.
    pub store_dir: PathBuf,
    /// The port on 127.0.0.1; `None` takes a free one. A restart keeps it either way.
    pub port: Option<u16>,
    /// What JetStream may reserve on disk. 4 GiB by default: each mailbox reserves its 64 MiB, written or not.
    pub max_file_store: u64,
    /// More lines for the server's configuration file.
    pub extra_config: String,
}

impl StartOptions {
    /// A free port, the default sizes and no further configuration.
    pub fn new(binary: impl Into<PathBuf>, store_dir: impl Into<PathBuf>) -> Self {
        StartOptions {
            binary: binary.into(),
            store_dir: store_dir.into(),
            port: None,
            max_file_store: 4 << 30,
            extra_config: String::new(),
        }
    }

    /// Where the server writes its log.
    pub fn log_file(&self) -> PathBuf {
        self.store_dir.join("nats-server.log")
    }
}

/// Why a server could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A file or folder could not be prepared.
    #[error("preparing {path}: {source}")]
    Prepare {
        /// What was being made.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A folder whose name cannot be written into the configuration.
    #[error("the folder {0} has a name that a nats-server configuration cannot hold")]
    BadPath(PathBuf),
    /// The binary could not be run.
    #[error("running {binary}: {source}")]
    Run {
        /// Which binary.
        binary: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// It ended instead of serving; its log says why.
    #[error("nats-server ended at once ({status}); see {log}: {last_lines}")]
    Ended {
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The end of the log.
        last_lines: String,
    },
    /// It runs but does not answer.
    #[error("nats-server did not answer within {} s; see {log}", START_WITHIN.as_secs())]
    Silent {
        /// Its log.
        log: PathBuf,
    },
}

/// A running nats-server. It is killed when this is dropped, and also when this process is killed.
#[derive(Debug)]
pub struct NatsServer {
    options: StartOptions,
    // Before the child, so that it is dropped first: see `kill`.
    guard: Option<Guard>,
    child: Child,
    port: u16,
    version: String,
}

impl NatsServer {
    /// The nats-server to use: `LIENTHONG_NATS_SERVER`, then `.tools/bin/nats-server` in the working folder or
    /// any above it, then PATH. When the variable is set, nothing else is looked at.
    pub fn find() -> Option<PathBuf> {
        if let Some(path) = std::env::var_os("LIENTHONG_NATS_SERVER") {
            return Some(PathBuf::from(path)).filter(|path| path.is_file());
        }
        let here = std::env::current_dir().ok();
        let tools = here.iter().flat_map(|dir| dir.ancestors()).map(|dir| dir.join(".tools/bin/nats-server"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|dir| dir.join("nats-server"));
        tools.chain(on_path).find(|candidate| candidate.is_file())
    }

    /// Starts a server and waits, within a bound, until it serves JetStream.
    ///
    /// # Errors
    /// See [`ServerError`]; nothing is left running then.
    pub async fn start(options: StartOptions) -> Result<Self, ServerError> {
        let (child, port, version) = launch(&options, options.port).await?;
        let guard = Guard::over(&child);
        Ok(NatsServer { options, guard, child, port, version })
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The version it gave.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its process id; `None` when it is known to have ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The folder it was given.
    pub fn store_dir(&self) -> &Path {
        &self.options.store_dir
    }

    /// SIGKILL, and waits until it is gone. Harmless when it has ended.
    pub async fn kill(&mut self) {
        // First the guard: it names the server by process id, which may be another's once the server is reaped.
        self.guard = None;
        if let Err(error) = self.child.kill().await {
            tracing::debug!(%error, "nats-server was gone already");
        }
    }

    /// Starts it again on the same port and store, killing it first when it still runs.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.kill().await;
        let (child, port, version) = launch(&self.options, Some(self.port)).await?;
        self.guard = Guard::over(&child);
        (self.child, self.port, self.version) = (child, port, version);
        Ok(())
    }

    /// Asks it to end and waits; kills it after a bound.
    pub async fn stop(mut self) {
        self.guard = None;
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended by itself meanwhile, which is as good.
            _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if tokio::time::timeout(STOP_WITHIN, self.child.wait()).await.is_err() {
            tracing::warn!("nats-server did not stop in time and is killed");
            self.kill().await;
        }
    }
}

async fn launch(options: &StartOptions, port: Option<u16>) -> Result<(Child, u16, String), ServerError> {
    let config = startup::prepare(options, port)?;
    let mut child = Command::new(&options.binary)
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Its own group: Ctrl-C is for us, and we stop the server last.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| ServerError::Run { binary: options.binary.clone(), source })?;
    let ready = tokio::time::timeout(START_WITHIN, startup::ready(options, &mut child, port)).await;
    let (port, version) = ready.unwrap_or_else(|_| Err(ServerError::Silent { log: options.log_file() }))?;
    Ok((child, port, version))
}
