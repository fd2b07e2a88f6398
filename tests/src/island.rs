//! A network namespace of its own for one node, with one cable for NATS, which can be cut in either direction, and one
//! for its officers, which is not.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use crate::broker::skip_or_fail;
use crate::ports::Port;

/// 198.18.0.0/15 is for tests of networks (RFC 2544): eight addresses for each port a test may take.
const NET: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const ADDRESSES: u32 = 8;
/// A card that nobody has: what is sent to it is lost without a word.
const NOBODY: &str = "02:00:00:00:00:fe";

/// How the cable for NATS is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Pulled out.
    Whole,
    /// Nothing reaches the node.
    Deaf,
    /// Nothing leaves it.
    Mute,
}

/// The namespace, its cables and its place. It is removed when this is dropped.
#[derive(Debug)]
pub struct Island {
    pub(crate) name: String,
    place: Port,
}

fn ip(args: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(args).output().map_err(|e| format!("ip: {e}"))?;
    let wrong = || format!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    done.status.success().then_some(()).ok_or_else(wrong)
}

impl Island {
    /// Makes one; `None`, loudly, where that is not allowed.
    pub fn raise() -> Option<Self> {
        let place = Port::take();
        let island = Self { name: format!("lienthong-{}", place.number), place };
        match island.build() {
            Ok(()) => Some(island),
            Err(why) => {
                skip_or_fail(&format!("network namespaces cannot be made here ({why})"));
                None
            }
        }
    }

    fn build(&self) -> Result<(), String> {
        let name = &*self.name;
        ip(&["netns", "add", name])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        for (cable, near, far) in [("nats", 1, 2), ("grpc", 5, 6)] {
            let (outside, mask) = (self.cable(cable), |address| format!("{}/30", self.address(address)));
            ip(&["link", "add", &outside, "type", "veth", "peer", "name", cable, "netns", name])?;
            ip(&["addr", "add", &mask(near), "dev", &outside])?;
            ip(&["link", "set", &outside, "up"])?;
            ip(&["-n", name, "addr", "add", &mask(far), "dev", cable])?;
            ip(&["-n", name, "link", "set", cable, "up"])?;
        }
        Ok(())
    }

    fn cable(&self, which: &str) -> String {
        format!("lt{}{which}", self.place.number)
    }

    fn address(&self, nth: u32) -> Ipv4Addr {
        let place = u32::from(self.place.number) - crate::ports::FIRST;
        Ipv4Addr::from(NET + place * ADDRESSES + nth)
    }

    /// Where its cable for NATS ends outside: a [`crate::Line`] goes on from there.
    pub fn shore(&self) -> SocketAddr {
        (self.address(1), 0).into()
    }

    /// Where its node serves gRPC.
    pub fn door(&self) -> SocketAddr {
        (self.address(6), self.place.number).into()
    }

    /// Cuts the cable for NATS.
    ///
    /// # Panics
    /// When that fails.
    pub fn cut(&self, how: Cut) {
        let (near, far) = (self.address(1).to_string(), self.address(2).to_string());
        let done = match how {
            Cut::Whole => ip(&["link", "set", &self.cable("nats"), "down"]),
            Cut::Deaf => {
                ip(&[&["neigh", "replace", &far], &WRONG[..], &["dev", &self.cable("nats")]].concat())
            }
            Cut::Mute => {
                let inside = ["-n", &self.name, "neigh", "replace", &near];
                ip(&[&inside[..], &WRONG[..], &["dev", "nats"]].concat())
            }
        };
        done.expect("the cable can be cut");
    }

    /// Mends it.
    ///
    /// # Panics
    /// When that fails.
    pub fn mend(&self, how: Cut) {
        let (near, far) = (self.address(1).to_string(), self.address(2).to_string());
        let done = match how {
            Cut::Whole => ip(&["link", "set", &self.cable("nats"), "up"]),
            Cut::Deaf => ip(&["neigh", "del", &far, "dev", &self.cable("nats")]),
            Cut::Mute => ip(&["-n", &self.name, "neigh", "del", &near, "dev", "nats"]),
        };
        done.expect("the cable can be mended");
    }
}

const WRONG: [&str; 4] = ["lladdr", NOBODY, "nud", "permanent"];

impl Drop for Island {
    fn drop(&mut self) {
        // Cables go with their inner ends; what was never made cannot be removed.
        _ = ip(&["netns", "del", &self.name]);
    }
}
