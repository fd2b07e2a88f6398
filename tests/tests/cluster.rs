//! A loaded cluster of real nodes over real NATS servers while its parts are killed, stopped, wiped and cut off: when all
//! is quiet again nothing is lost, nothing is there twice, and every ledger proves the same, read from the disk.
//!
//! Short forms here, long ones with `LIENTHONG_SOAK=1`; each prints its verdict.

#[path = "cluster/absent.rs"]
mod absent;
#[path = "cluster/backlog.rs"]
mod backlog;
#[path = "cluster/islands.rs"]
mod islands;
#[path = "cluster/kills.rs"]
mod kills;
#[path = "cluster/pauses.rs"]
mod pauses;
#[path = "cluster/scene.rs"]
mod scene;
#[path = "cluster/sees.rs"]
mod sees;
#[path = "cluster/trio.rs"]
mod trio;
#[path = "cluster/wipes.rs"]
mod wipes;
