//! A province to test with: real node processes of the real binary over a real nats-server, and officers who call them.
//!
//! A test starts a [`broker`], lays out a [`Province`], starts its nodes and works through [`Desk`]s. Whatever has to
//! happen is waited for with [`eventually`]; when a test fails, the end of every node's log is printed.

mod binary;
mod broker;
mod chance;
mod desk;
mod grown;
mod island;
mod judge;
mod kept;
mod line;
mod monitor;
mod node;
mod officers;
mod ports;
mod province;
mod trio;
mod wait;

pub use binary::lienthong;
pub use broker::{broker, publish, signal_broker, skip_or_fail, watched_broker};
pub use chance::{Dice, is_soak};
pub use desk::{Desk, Ops, ref_code, ref_id};
pub use grown::{Mix, grow};
pub use island::{Cut, Island};
pub use judge::{Judged, judge};
pub use kept::{Kept, read_ledger};
pub use line::{Line, Quality};
pub use monitor::Monitor;
pub use node::{Ended, NodeProcess};
pub use officers::{Carried, LONG, Officers};
pub use province::Province;
pub use trio::Trio;
pub use wait::{BOUND, Patience, eventually};
