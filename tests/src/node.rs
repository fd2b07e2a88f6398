//! One node as a process of its own: started, killed, started again, and its log.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::island::Island;
use crate::ports::Port;
use crate::wait::{BOUND, eventually};

/// Lines of a log that are printed when a test fails.
const LOG_LINES: usize = 40;

/// A node's process: its files, its port, and the child while it runs.
#[derive(Debug)]
pub struct NodeProcess {
    /// The node's name.
    pub name: String,
    /// Its configuration file.
    pub config: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
    log: PathBuf,
    port: Port,
    /// The network namespace it runs in, and where it serves gRPC there.
    island: Option<(String, SocketAddr)>,
    gives_way: bool,
    child: Option<Child>,
}

/// A node that ended instead of becoming ready.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All it ever logged.
    pub log: String,
}

impl NodeProcess {
    pub(crate) fn new(name: &str, dir: &Path, data: &Path, port: Port) -> Self {
        Self {
            name: name.to_owned(),
            config: dir.join("node.toml"),
            data: data.to_owned(),
            log: dir.join("node.log"),
            port,
            island: None,
            gives_way: false,
            child: None,
        }
    }

    /// Where it serves gRPC.
    pub fn url(&self) -> String {
        match &self.island {
            Some((_, door)) => format!("http://{door}"),
            None => format!("http://127.0.0.1:{}", self.port.number),
        }
    }

    /// From its next start on it runs there.
    pub fn live_on(&mut self, island: &Island) {
        self.island = Some((island.name.clone(), island.door()));
    }

    /// From its next start on it has the processors that nobody else wants, as if it had a machine of its own.
    pub fn give_way(&mut self) {
        self.gives_way = true;
    }

    /// A connection that is made when it is used, and made again after a restart.
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url()).expect("a URL").connect_lazy()
    }

    /// Starts the process with further environment variables, and does not wait for it.
    pub fn spawn(&mut self, env: &BTreeMap<&str, String>) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log file");
        // `ip` and `nice` become the node: it is the same process.
        let before: &[&str] = match &self.island {
            Some((name, _)) => &["ip", "netns", "exec", name],
            None if self.gives_way => &["nice", "-n", "19"],
            None => &[],
        };
        let mut words = before.iter().map(OsStr::new).chain([crate::lienthong().as_os_str()]);
        let child = Command::new(words.next().expect("a program"))
            .args(words)
            .arg("node")
            .arg("--config")
            .arg(&self.config)
            .envs(env)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        self.child = Some(child.expect("the node's process starts"));
    }

    /// Waits until it is ready, or has ended.
    ///
    /// # Errors
    /// When it ended.
    pub async fn ready(&mut self) -> Result<(), Ended> {
        self.ready_within(BOUND).await
    }

    async fn ready_within(&mut self, bound: Duration) -> Result<(), Ended> {
        let mut health = HealthClient::new(self.channel());
        let what = format!("{} is ready", self.name);
        let ended = eventually(bound, &what, async || {
            if let Some(status) = self.ended() {
                return Some(Err(status));
            }
            let answer = health.check(HealthCheckRequest { service: String::new() }).await;
            let ready = answer.is_ok_and(|a| a.into_inner().status() == ServingStatus::Serving);
            ready.then_some(Ok(()))
        });
        ended.await.map_err(|status| Ended { status, log: self.log() })
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(&mut self) {
        self.start_within(BOUND).await;
    }

    /// The same with another bound.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start_within(&mut self, bound: Duration) {
        self.spawn(&BTreeMap::new());
        if let Err(ended) = self.ready_within(bound).await {
            panic!("{} ended at start ({}):\n{}", self.name, ended.status, ended.log);
        }
    }

    /// Memory of the process that is in use now and the most that ever was, in bytes: VmRSS and VmHWM.
    ///
    /// # Panics
    /// When it does not run.
    pub fn memory(&self) -> (u64, u64) {
        let pid = self.child.as_ref().and_then(Child::id).expect("a running node");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default()
                << 10
        };
        (field("VmRSS"), field("VmHWM"))
    }

    /// How it ended, when it has; then it can be started again.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("the node's process can be asked");
        if status.is_some() {
            self.child = None;
        }
        status
    }

    /// Whether a process is there.
    pub fn is_running(&mut self) -> bool {
        self.ended();
        self.child.is_some()
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("the node can be killed");
        }
    }

    /// Signals it: SIGSTOP leaves it there, with all its connections, and silent until SIGCONT.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().and_then(Child::id).and_then(|pid| i32::try_from(pid).ok());
        kill(Pid::from_raw(pid.expect("a running node")), signal).expect("the node can be signalled");
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it does not end in order.
    pub async fn stop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.signal(Signal::SIGTERM);
        let Some(mut child) = self.child.take() else { return };
        let ended = tokio::time::timeout(BOUND, child.wait()).await;
        let status = ended.expect("the node ends in time").expect("the node's process can be waited for");
        assert!(status.success(), "{} did not end in order ({status}):\n{}", self.name, self.log());
    }

    /// Everything it logged, over all starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            eprintln!("--- end of the log of {} ---\n{end}\n---", self.name);
        }
    }
}
