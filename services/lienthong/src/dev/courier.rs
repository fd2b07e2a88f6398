//! What carries messages in a `dev` province: a nats-server of its own, or the embedded link.

use lienthong_link::server::{NatsServer, StartOptions};
use lienthong_runtime::config::{LinkKind, LinkSection};

use super::LinkWord;
use super::folder::Folder;

/// The courier that is used.
pub(super) enum Courier {
    /// Our own nats-server; it ends with us.
    Nats(Box<NatsServer>),
    /// In process.
    Embedded,
}

impl Courier {
    /// Starts what was asked for, and says what it is.
    pub(super) async fn start(word: LinkWord, folder: &Folder) -> anyhow::Result<Self> {
        let courier = match word {
            LinkWord::Embedded => Courier::Embedded,
            LinkWord::Nats => nats(folder).await?,
            LinkWord::Auto => match nats(folder).await {
                Ok(courier) => courier,
                Err(error) => {
                    println!("Không dùng được NATS / NATS cannot be used: {error:#}");
                    Courier::Embedded
                }
            },
        };
        match &courier {
            Courier::Nats(server) => {
                println!(
                    "Liên kết / link: NATS, nats-server {} cổng / port {}",
                    server.version(),
                    server.port()
                );
            }
            Courier::Embedded => {
                println!("Liên kết / link: nhúng trong tiến trình / embedded, in this process");
            }
        }
        Ok(courier)
    }

    /// The `[link]` section for it.
    pub(super) fn link(&self) -> LinkSection {
        match self {
            Courier::Nats(server) => {
                LinkSection { kind: LinkKind::Nats, url: server.url(), ..LinkSection::default() }
            }
            Courier::Embedded => LinkSection { kind: LinkKind::Embedded, ..LinkSection::default() },
        }
    }

    /// Ends it, after everything that uses it.
    pub(super) async fn stop(self) {
        match self {
            Courier::Nats(server) => server.stop().await,
            Courier::Embedded => {}
        }
    }
}

async fn nats(folder: &Folder) -> anyhow::Result<Courier> {
    let binary = NatsServer::find().ok_or_else(|| {
        anyhow::anyhow!("there is no nats-server in LIENTHONG_NATS_SERVER, .tools/bin or PATH")
    })?;
    let server = NatsServer::start(StartOptions::new(binary, folder.nats())).await?;
    Ok(Courier::Nats(Box::new(server)))
}
