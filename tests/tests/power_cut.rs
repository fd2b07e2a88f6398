//! Power cuts and failing disks: whatever was acknowledged is there afterwards, nothing is half there, and the store
//! opens and goes on.
//!
//! Two rigs cut the power. One freezes the image below a mounted file system and mounts the copy: it is the judge, and
//! needs root, loop devices and a file system that can copy by reference. The other traces the calls of the writer and
//! rebuilds the folder from what was synced: it runs everywhere, and loses more than most disks do. Each must be red
//! for a store known to be wrong, plain sled with `flush()`. `LIENTHONG_SOAK=1` makes many rounds.

#[path = "power_cut/disk.rs"]
mod disk;
#[path = "power_cut/faults.rs"]
mod faults;
#[path = "power_cut/frozen.rs"]
mod frozen;
#[path = "power_cut/rounds.rs"]
mod rounds;
#[path = "power_cut/shadow.rs"]
mod shadow;
#[path = "power_cut/shim.rs"]
mod shim;
#[path = "power_cut/trace.rs"]
mod trace;
#[path = "power_cut/traced.rs"]
mod traced;
#[path = "power_cut/writer.rs"]
mod writer;
