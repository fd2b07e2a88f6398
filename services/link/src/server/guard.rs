//! Kills the server when this process ends in any way, SIGKILL included, without unsafe code: a shell reads
//! from a pipe that only this process holds, and acts when the pipe closes.

use std::process::Stdio;

use tokio::process::{Child, Command};

/// Dropped before the server is reaped: it knows the server by process id only.
#[derive(Debug)]
pub(super) struct Guard {
    /// Killed on drop. The pipe to its stdin closes with it.
    _shell: Child,
}

impl Guard {
    /// A guard over a running child; `None`, with a warning, where there is no shell: then only an orderly
    /// end of this process stops the server.
    pub(super) fn over(server: &Child) -> Option<Guard> {
        let pid = server.id()?;
        let shell = Command::new("/bin/sh")
            .args(["-c", r#"read -r _; kill -9 "$0""#, &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        match shell {
            Ok(shell) => Some(Guard { _shell: shell }),
            Err(error) => {
                tracing::warn!(%error, "no guard: nats-server would outlive a killed parent");
                None
            }
        }
    }
}
