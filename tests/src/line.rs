//! A bad line: a TCP proxy that passes so many bytes a second and delays each, in both directions.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What one TCP segment carries.
const SEGMENT: usize = 1_448;
/// Segments on the way in one direction: what a router queues, 256 KiB, and then the sender has to wait.
const QUEUED: usize = (256 << 10) / SEGMENT;

/// How good the line is, the same in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// Bytes that pass in a second; `None` for no limit.
    pub bytes_per_second: Option<u64>,
    /// How long each byte is under way.
    pub delay: Duration,
}

impl Quality {
    /// As good as none at all.
    pub const PLAIN: Self = Self { bytes_per_second: None, delay: Duration::ZERO };
}

/// A line that is laid until this is dropped.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    carried: [Arc<AtomicU64>; 2],
    _open: JoinSet<()>,
}

/// One direction of one connection.
struct Way {
    quality: Quality,
    carried: Arc<AtomicU64>,
}

impl Line {
    /// Listens at `at` and connects whoever comes with `to`.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn lay(at: SocketAddr, to: SocketAddr, quality: Quality) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let carried: [Arc<AtomicU64>; 2] = Default::default();
        let counters = carried.clone();
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                // Nobody there: the caller finds the connection closed, and comes again.
                let Ok(far) = TcpStream::connect(to).await else { continue };
                // What is due leaves at once; a socket that cannot do so is only slower.
                _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                let [up, down] = counters.clone().map(|carried| Way { quality, carried });
                connections.spawn(up.pass(near_in, far_out));
                connections.spawn(down.pass(far_in, near_out));
            }
        });
        Ok(Self { address, carried, _open: open })
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes carried from its beginning to its end, and back.
    pub fn carried(&self) -> (u64, u64) {
        (self.carried[0].load(Relaxed), self.carried[1].load(Relaxed))
    }
}

impl Way {
    /// Passes bytes on until one side closes. Reading, the wait for one's turn and writing are apart, so that the delay
    /// takes nothing from the rate.
    async fn pass(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(QUEUED);
        let Self { quality, carried } = self;
        let reading = async move {
            let mut free = Instant::now();
            let mut segment = vec![0; SEGMENT];
            while let Ok(length @ 1..) = from.read(&mut segment).await {
                let takes = quality
                    .bytes_per_second
                    .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(length as f64 / rate as f64));
                free = free.max(Instant::now()) + takes;
                carried.fetch_add(length as u64, Relaxed);
                if queue.send((free + quality.delay, segment[..length].to_vec())).await.is_err() {
                    return;
                }
            }
        };
        let writing = async move {
            while let Some((at, segment)) = due.recv().await {
                tokio::time::sleep_until(at).await;
                if to.write_all(&segment).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(reading, writing);
    }
}
