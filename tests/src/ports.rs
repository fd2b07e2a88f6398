//! Ports that no other test takes, and that no outgoing connection is given.

use std::fs::File;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which Linux takes ports for outgoing connections.
pub(crate) const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// A port that is ours while this lives, so that a node can be started on it again.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    _lock: File,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Port {
    /// Takes a free port.
    pub(crate) fn take() -> Self {
        let folder = std::env::temp_dir().join("lienthong-tests-ports");
        std::fs::create_dir_all(&folder).expect("a folder for the locks of ports");
        for _ in 0..COUNT {
            // Test processes begin at different places, so that they seldom try the same.
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = (FIRST + std::process::id().wrapping_mul(97).wrapping_add(step) % COUNT) as u16;
            let lock = File::create(folder.join(number.to_string())).expect("a lock file for a port");
            let ours = lock.try_lock().is_ok();
            if ours && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self { number, _lock: lock };
            }
        }
        panic!("no free port");
    }
}
