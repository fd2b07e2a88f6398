//! The event loop: it alone owns the agencies' state, others hold a [`Handle`].
//!
//! ```text
//! gRPC ──events──▶ ┌──────┐ ──commit──▶ persist thread: sign, append, fdatasync
//! mailboxes ─────▶ │ loop │ ◀─durable── ─┘
//!                  └──────┘ ──▶ dispatcher (packs, link)   ──▶ queuer (sled rows)
//! ```
//! While one commit is on its way to the disk, what happens meanwhile gathers for the next: group commit without a
//! timer. Replies, acknowledgements and reads wait in the group they were decided in, and are released by the
//! store's [`lienthong_core::durable::Durable`]: nothing is told that is not on disk.

pub(crate) mod admit;
pub(crate) mod anchor;
pub(crate) mod complaints;
pub(crate) mod enclosure;
pub(crate) mod events;
pub(crate) mod fair;
pub(crate) mod flow;
pub(crate) mod gauges;
pub(crate) mod greeting;
pub(crate) mod group;
pub(crate) mod handle;
pub(crate) mod incoming;
pub(crate) mod left;
pub(crate) mod news;
pub(crate) mod outgoing;
pub(crate) mod persist;
pub(crate) mod phases;
pub(crate) mod places;
pub(crate) mod pressure;
pub(crate) mod queuer;
pub(crate) mod recent;
pub(crate) mod records;
pub mod recovery;
pub(crate) mod release;
pub(crate) mod rows;
pub(crate) mod run;
pub(crate) mod sent;
pub(crate) mod snapshot;
pub(crate) mod taking;

pub use events::{Done, Level};
pub use handle::Handle;
pub use records::Records;

use lienthong_core::ids::{AgencyId, Instant, WallMs};
use lienthong_core::node::{Node, Now};
use lienthong_wire::keys::Signer;
use lienthong_wire::statement::WireCodec;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// The agencies of this process.
pub type Hosts = BTreeMap<AgencyId, Host>;

/// One agency of this process.
#[derive(Debug)]
pub struct Host {
    /// Its node.
    pub node: Node<WireCodec>,
    /// Its name in the directory.
    pub name: String,
    /// Its recovery since this start, if there was one.
    pub recovery: Option<recovery::Note>,
    /// What the start found, until the recovery is noted.
    pub(crate) cause: Option<recovery::Cause>,
    pub(crate) signer: Signer,
    /// Its open dossiers by phase, as of the last commit.
    pub(crate) phases: phases::Phases,
}

/// Both clocks. Monotonic time starts with the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(std::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn now(self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = Instant(self.0.elapsed().as_millis() as u64);
        Now { mono, wall: WallMs(since_epoch.as_millis() as i64) }
    }

    pub(crate) fn at(self, at: Instant) -> tokio::time::Instant {
        (self.0 + std::time::Duration::from_millis(at.0)).into()
    }
}
