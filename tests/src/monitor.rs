//! What a nats-server tells about itself over HTTP.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::Port;

/// The monitoring port of one server.
#[derive(Debug)]
pub struct Monitor(Port);

impl Monitor {
    pub(crate) fn take() -> Self {
        Self(Port::take())
    }

    /// The line of its configuration.
    pub(crate) fn config(&self) -> String {
        format!("http: \"127.0.0.1:{}\"\n", self.0.number)
    }

    /// Messages that JetStream holds.
    pub async fn messages(&self) -> Option<u64> {
        self.get("/jsz").await?["messages"].as_u64()
    }

    /// Bytes that clients sent to it, and that it sent to them.
    pub async fn bytes(&self) -> Option<(u64, u64)> {
        let told = self.get("/varz").await?;
        Some((told["in_bytes"].as_u64()?, told["out_bytes"].as_u64()?))
    }

    /// Whether all its streams are there and up to date.
    pub async fn is_healthy(&self) -> bool {
        self.get("/healthz").await.is_some_and(|told| told["status"] == "ok")
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.0.number)).await.ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}
