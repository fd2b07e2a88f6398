//! Whether a ledger is an old copy, judged before the node does anything else (protocol.md 6).
//!
//! Whoever recovers gets no entry in the anchor and stays in the marker until its FENCE is durable, so that a crash at
//! any point leads here again. A FENCE too many only raises the incarnation.

use super::BootError;
use crate::engine::anchor::Keeper;
use crate::engine::recovery::Cause;
use crate::engine::{Clock, Hosts};
use lienthong_core::ids::{AgencyId, Head, Incarnation};
use lienthong_core::node::Input;
use lienthong_runtime::NodeConfig;
use lienthong_store::Ledger;
use lienthong_store::anchor::{self, Anchor, Anchored, Read};
use lienthong_store::restore::{self, Marker};
use std::path::Path;

/// The marker of a restore. One that was cut off before the ledger was there must be done again, and no new ledger may
/// begin in its place.
pub(super) fn marker(data_dir: &Path) -> Result<Option<Marker>, BootError> {
    let io = |source| BootError::Io { attempted: "read the restore marker", source };
    let marker = Marker::read(data_dir).map_err(io)?;
    if marker.is_some() && !restore::holds_ledger(data_dir).map_err(io)? {
        return Err(BootError::RestoreUnfinished(data_dir.to_owned()));
    }
    Ok(marker)
}

/// Begins a recovery for each hosted agency whose ledger is an old copy, and anchors those that are new.
pub(super) fn judge(
    config: &NodeConfig,
    marker: Option<Marker>,
    ledger: &Ledger,
    hosts: &mut Hosts,
    (clock, report): (Clock, &mut Vec<String>),
) -> Result<Keeper, BootError> {
    let data_dir = config.node.data_dir.clone();
    let dir = config.node.anchor_dir().ok_or_else(|| BootError::NoAnchorFolder(data_dir.clone()))?;
    let failed = |source| BootError::Anchor { dir: dir.clone(), source };
    let mut anchor = match anchor::read(&dir).map_err(failed)? {
        Read::Whole(anchor) => anchor,
        Read::Missing => Anchor::new(),
        Read::Damaged(why) => {
            report.push(format!("the anchor in {} is damaged: {why}", dir.display()));
            Anchor::new()
        }
    };
    let marker = marker.map(|marker| of_all(marker, ledger));
    let mut is_new = false;
    for (agency, host) in hosts.iter_mut() {
        let here = Anchored {
            store: ledger.store_id(),
            head: ledger.head(agency),
            incarnation: host.node.state().incarnation,
        };
        let is_marked = marker.as_ref().is_some_and(|marker| marker.names(agency));
        let cause = if is_marked { Some(Cause::Restored) } else { cause(anchor.get(agency), &here) };
        if let Some(cause) = cause {
            report.push(tell(agency, cause, anchor.get(agency), here.head));
            host.cause = Some(cause);
            let begun = host.node.step(clock.now(), Input::Recover);
            begun.map_err(|reason| BootError::Recover { agency: agency.clone(), reason })?;
        } else {
            host.cause = host.node.state().recovering().then_some(Cause::Earlier);
            is_new |= anchor.insert(agency.clone(), here).is_none();
        }
    }
    if is_new {
        anchor::write(&dir, &anchor).map_err(failed)?;
    }
    Ok(Keeper { dir, data_dir, anchor, marker })
}

/// A damaged marker names nobody: then it is meant for all there are.
fn of_all(mut marker: Marker, ledger: &Ledger) -> Marker {
    marker.agencies.get_or_insert_with(|| ledger.heads().map(|(a, head)| (a.clone(), head)).collect());
    marker
}

/// Why the ledger here is an old copy, if it is one. An anchor that is behind is normal: it is written later.
fn cause(anchored: Option<&Anchored>, here: &Anchored) -> Option<Cause> {
    /// Its Opened record binds nobody.
    const OPENED: u64 = 1;
    let Some(anchored) = anchored else {
        return (here.head.size > OPENED).then_some(Cause::NoAnchor);
    };
    if anchored.store != here.store {
        return Some(Cause::OtherStore);
    }
    let later = anchored.incarnation > here.incarnation;
    match anchored.head.size.cmp(&here.head.size) {
        std::cmp::Ordering::Greater => Some(Cause::AnchorAhead),
        std::cmp::Ordering::Equal if anchored.head != here.head => Some(Cause::AnchorForks),
        std::cmp::Ordering::Equal | std::cmp::Ordering::Less => later.then_some(Cause::AnchorForks),
    }
}

fn tell(agency: &AgencyId, cause: Cause, anchored: Option<&Anchored>, here: Head) -> String {
    let size = here.size;
    let (far, Incarnation(inc)) =
        anchored.map_or((0, Incarnation(0)), |anchored| (anchored.head.size, anchored.incarnation));
    let what = match cause {
        Cause::Restored => format!("its ledger of {size} records was put back with `lienthong restore`"),
        Cause::AnchorAhead => format!("its ledger has {size} records and the anchor knows of {far}"),
        Cause::AnchorForks => {
            format!(
                "its ledger of {size} records is not what the anchor knows ({far} records, incarnation {inc})"
            )
        }
        Cause::OtherStore => format!("its ledger of {size} records is in another store than the anchor's"),
        Cause::NoAnchor => format!("its ledger has {size} records and there is no anchor for it"),
        Cause::Peer | Cause::Earlier => format!("its ledger has {size} records"),
    };
    format!(
        "{agency} is taken for an old copy: {what}. It recovers from its peers; `lienthong status` says how far"
    )
}
