//! Keeps the anchor behind the ledger: beside the loop and its disk thread, at most once a second, and at the end.
//!
//! What comes here is durable. The first commit of an agency that was found to be an old copy holds its FENCE, so what
//! comes of that agency may replace what the anchor had: a start in between finds anchor and marker as they were, and
//! begins the recovery once more.

use lienthong_store::anchor::{self, Anchor};
use lienthong_store::restore::Marker;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Between two writes. A power cut leaves the anchor that much behind, which is normal; a copy that is put back is
/// older.
const EVERY: Duration = Duration::from_secs(1);

/// The anchor file as it is, and the marker of a restore.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) dir: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) anchor: Anchor,
    pub(crate) marker: Option<Marker>,
}

impl Keeper {
    /// Runs until `ended`, then writes once more.
    pub(crate) async fn run(mut self, mut durable: watch::Receiver<Anchor>, ended: CancellationToken) {
        let mut is_told = false;
        loop {
            tokio::select! {
                changed = durable.changed() => if changed.is_err() { ended.cancel() },
                () = ended.cancelled() => {}
            }
            let last = ended.is_cancelled();
            let heads = durable.borrow_and_update().clone();
            let writing = tokio::task::spawn_blocking(move || {
                let kept = self.keep(&heads);
                (self, kept)
            });
            let Ok((keeper, kept)) = writing.await else { return };
            self = keeper;
            match kept {
                Ok(()) => is_told = false,
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        let dir = self.dir.display();
                        tracing::error!(%error, %dir, "the anchor cannot be written: an old copy may go unseen");
                    }
                    durable.mark_changed();
                }
            }
            if last {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = ended.cancelled() => {}
            }
        }
    }

    fn keep(&mut self, durable: &Anchor) -> io::Result<()> {
        let mut next = self.anchor.clone();
        next.extend(durable.iter().map(|(agency, anchored)| (agency.clone(), *anchored)));
        if next != self.anchor {
            anchor::write(&self.dir, &next)?;
            self.anchor = next;
        }
        if let Some(marker) = &mut self.marker
            && durable.keys().any(|agency| marker.names(agency))
        {
            let fenced: Vec<_> = durable.keys().cloned().collect();
            marker.leave(&self.data_dir, &fenced)?;
        }
        Ok(())
    }
}
