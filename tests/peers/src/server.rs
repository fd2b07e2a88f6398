//! A server of another's making: started on a free port with its data in our folder, waited for, and ended for certain.

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a server may take to be up, and to end.
const BOUND: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How much of its log an error quotes.
const LAST_LINES: usize = 12;

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    end_by: Signal,
    log: PathBuf,
}

impl Server {
    /// Starts it in a process group of its own; what it says goes to `dir`.
    pub(crate) fn start(
        name: &'static str,
        dir: &Path,
        mut command: Command,
        end_by: Signal,
    ) -> anyhow::Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let file = File::create(&log).context("make a log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self { name, child, end_by, log })
    }

    /// Waits until `is_up` gives something.
    pub(crate) async fn until<T>(&mut self, mut is_up: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let looking = async {
            loop {
                look.tick().await;
                if let Some(status) = self.child.try_wait()? {
                    anyhow::bail!("{} ended: {status}", self.name);
                }
                if let Some(up) = is_up().await {
                    return Ok(up);
                }
            }
        };
        let looked = tokio::time::timeout(BOUND, looking).await;
        looked
            .unwrap_or_else(|_| Err(anyhow::anyhow!("{} is not up after {BOUND:?}", self.name)))
            .with_context(|| {
                let text = std::fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                format!(
                    "{}:\n{}",
                    self.log.display(),
                    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
                )
            })
    }

    /// Ends it in order, and for certain after a bound.
    pub(crate) async fn stop(mut self) {
        self.signal(self.end_by);
        let _ = tokio::time::timeout(BOUND, self.child.wait()).await;
    }

    fn signal(&self, signal: Signal) {
        // `None` once it is reaped: then its number may be another's.
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?.local_addr()?.port())
}

/// The first of these files that is there.
pub(crate) fn program(name: &str, places: &[&str]) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join(name));
    let found = places.iter().map(|p| Path::new(p).join(name)).chain(on_path).find(|p| p.is_file());
    found.with_context(|| format!("{name} is missing: tests/peers/install.sh installs it on Debian, as root"))
}

/// Runs a command to its end.
pub(crate) async fn run(mut command: Command) -> anyhow::Result<String> {
    let ran = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    anyhow::ensure!(ran.status.success(), "{command:?}: {}\n{}", said(&ran.stdout), said(&ran.stderr));
    Ok(said(&ran.stdout))
}
