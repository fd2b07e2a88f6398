//! The server's configuration file, and finding out that it is up.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

use super::{ServerError, StartOptions};

/// How often the start is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The longest first line that a server may send; nats-server's is under 1 KiB.
const MAX_INFO: u64 = 16 << 10;
/// How much of the log an error quotes.
const LAST_LINES: usize = 3;

/// Writes the configuration and returns its path. Port `None` lets the server choose.
pub(super) fn prepare(options: &StartOptions, port: Option<u16>) -> Result<PathBuf, ServerError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ServerError::Prepare { path, source }
    };
    std::fs::create_dir_all(&options.store_dir).map_err(failed(&options.store_dir))?;
    let dir = options.store_dir.canonicalize().map_err(failed(&options.store_dir))?;
    let good = |text: &&str| !text.contains(['"', '\\', '\n']);
    let text = dir.to_str().filter(good).ok_or_else(|| ServerError::BadPath(dir.clone()))?;
    for old in ports_files(&dir).map_err(failed(&dir))? {
        std::fs::remove_file(&old).map_err(failed(&old))?;
    }
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let body = format!(
        "# Written at each start; edits are lost.\n\
         listen: \"127.0.0.1:{port}\"\n\
         log_file: \"{text}/nats-server.log\"\n\
         ports_file_dir: \"{text}\"\n\
         max_payload: 1048576\n\
         jetstream {{\n  store_dir: \"{text}\"\n  max_file_store: {}\n}}\n{}\n",
        options.max_file_store, options.extra_config,
    );
    let config = dir.join("nats-server.conf");
    std::fs::write(&config, body).map_err(failed(&config))?;
    Ok(config)
}

/// Waits until the server has named its port and greets there with JetStream; its port and version.
pub(super) async fn ready(
    options: &StartOptions,
    child: &mut Child,
    port: Option<u16>,
) -> Result<(u16, String), ServerError> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        if let Ok(Some(status)) = child.try_wait() {
            let log = options.log_file();
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(LAST_LINES).collect();
            let last_lines = lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
            return Err(ServerError::Ended { status, log, last_lines });
        }
        // The ports file is this server's own: a stranger on the wished port does not write it.
        let Some(named) = named_port(&options.store_dir) else { continue };
        if port.is_some_and(|port| port != named) {
            continue;
        }
        if let Some(version) = greeting(named).await {
            return Ok((named, version));
        }
    }
}

fn ports_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|ext| ext == "ports")).collect())
}

fn named_port(dir: &Path) -> Option<u16> {
    let file = ports_files(dir).ok()?.pop()?;
    let text = std::fs::read_to_string(file).ok()?;
    // nats:// or, when the configuration asks for it, tls://.
    after(&text, "://127.0.0.1:", |c| !c.is_ascii_digit())?.parse().ok()
}

/// The server's version, when it answers and has JetStream.
async fn greeting(port: u16) -> Option<String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let mut line = String::new();
    let reader = tokio::io::AsyncReadExt::take(stream, MAX_INFO);
    BufReader::new(reader).read_line(&mut line).await.ok()?;
    if !line.starts_with("INFO ") || !line.contains("\"jetstream\":true") {
        return None;
    }
    after(&line, "\"version\":\"", |c| c == '"').map(str::to_owned)
}

/// The text after `key`, up to where `end` holds.
fn after<'a>(text: &'a str, key: &str, end: impl Fn(char) -> bool) -> Option<&'a str> {
    let rest = text.split_once(key)?.1;
    rest.split(end).next().filter(|found| !found.is_empty())
}
