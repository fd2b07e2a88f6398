//! The systems that are measured.

mod jetstream;
mod lienthong;
mod postgres;
mod rabbitmq;
mod redis;

use crate::load::{Load, Measured};
use crate::server::program;
use lienthong::End;
use rabbitmq::Consumer;
use std::path::Path;

/// A system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Ours, counted as the others are.
    Lienthong,
    /// Ours, until the giver has the signed receipt too.
    Receipt,
    /// NATS JetStream, `sync_interval: always`.
    JetStream,
    /// A quorum queue with publisher confirms.
    RabbitMq,
    /// The same with a consumer that keeps what it received: the same work as ours.
    RabbitMqKept,
    /// `SKIP LOCKED`, a row a commit.
    Postgres,
    /// `SKIP LOCKED`, consumers of eight rows a commit.
    PostgresBatched,
    /// A stream, `appendfsync always`.
    Redis,
}

impl System {
    /// In the order in which they are measured.
    pub(crate) const ALL: [System; 8] = [
        System::Lienthong,
        System::Receipt,
        System::JetStream,
        System::RabbitMq,
        System::RabbitMqKept,
        System::Postgres,
        System::PostgresBatched,
        System::Redis,
    ];

    /// On the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Lienthong => "lienthong",
            System::Receipt => "lienthong-receipt",
            System::JetStream => "jetstream",
            System::RabbitMq => "rabbitmq",
            System::RabbitMqKept => "rabbitmq-kept",
            System::Postgres => "postgres",
            System::PostgresBatched => "postgres-batched",
            System::Redis => "redis",
        }
    }

    /// In the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            System::Lienthong => "Liên Thông",
            System::Receipt => "Liên Thông, receipt at giver",
            System::JetStream => "JetStream, sync always",
            System::RabbitMq => "RabbitMQ quorum, confirms",
            System::RabbitMqKept => "RabbitMQ, consumer syncs too",
            System::Postgres => "PostgreSQL SKIP LOCKED",
            System::PostgresBatched => "PostgreSQL, 8 rows a commit",
            System::Redis => "Redis stream, fsync always",
        }
    }

    /// Whether it is the product.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, System::Lienthong | System::Receipt)
    }

    /// Whether what it needs is installed.
    pub(crate) fn is_there(self) -> anyhow::Result<()> {
        match self {
            System::Lienthong | System::Receipt | System::JetStream => {
                drop(program("nats-server", &[jetstream::TOOLS])?);
            }
            System::RabbitMq | System::RabbitMqKept => {
                program("rabbitmq-server", &[rabbitmq::BIN])?;
                program("epmd", &[])?;
            }
            System::Postgres | System::PostgresBatched => drop(postgres::program("postgres")?),
            System::Redis => drop(program("redis-server", &[])?),
        }
        Ok(())
    }

    /// Starts it on an empty folder, measures it, ends it.
    pub(crate) async fn measure(
        self,
        dir: &Path,
        binary: &Path,
        load: Load<'_>,
    ) -> anyhow::Result<Vec<Measured>> {
        match self {
            System::Lienthong => lienthong::measure(dir, binary, load, End::Consumer).await,
            System::Receipt => lienthong::measure(dir, binary, load, End::Receipt).await,
            System::JetStream => jetstream::measure(dir, load).await,
            System::RabbitMq => rabbitmq::measure(dir, load, Consumer::Forgets).await,
            System::RabbitMqKept => rabbitmq::measure(dir, load, Consumer::Keeps).await,
            System::Postgres => postgres::measure(dir, load, 1).await,
            System::PostgresBatched => postgres::measure(dir, load, 8).await,
            System::Redis => redis::measure(dir, load).await,
        }
    }
}
