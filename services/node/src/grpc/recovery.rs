//! A recovery as `GetStatus` shows it.

use crate::engine::Host;
use crate::engine::recovery::{Cause, Note};
use lienthong_core::recovery::asking::Progress;
use lienthong_proto::v1;

/// The recovery of an agency since this start.
pub(crate) fn shape(host: &Host) -> Option<v1::RecoveryStatus> {
    let Note { cause: why, since, kept, incarnation, ended } = host.recovery?;
    let mut shown = v1::RecoveryStatus {
        cause: cause(why) as i32,
        since_ms: since.0,
        incarnation: incarnation.0,
        kept_records: kept,
        ..v1::RecoveryStatus::default()
    };
    if let Some((at, recovered)) = ended {
        shown.ended_ms = at.0;
        (shown.returned, shown.learned) = (recovered.returned, recovered.learned);
        shown.unplaced = recovered.unplaced as u64;
    } else if let Some(asking) = host.node.asking() {
        (shown.returned, shown.learned) = (asking.returned, asking.learned);
        shown.unplaced = asking.unplaced(&host.node.state().me) as u64;
        let waits = asking.peers().filter_map(|(peer, progress)| {
            let wait = wait(progress)? as i32;
            Some(v1::RecoveryPeer { agency: peer.to_string(), name: String::new(), wait })
        });
        shown.waits_for = waits.collect();
    }
    Some(shown)
}

fn cause(cause: Cause) -> v1::RecoveryCause {
    match cause {
        Cause::Restored => v1::RecoveryCause::Restored,
        Cause::AnchorAhead => v1::RecoveryCause::AnchorAhead,
        Cause::AnchorForks => v1::RecoveryCause::AnchorForks,
        Cause::OtherStore => v1::RecoveryCause::OtherStore,
        Cause::NoAnchor => v1::RecoveryCause::NoAnchor,
        Cause::Peer => v1::RecoveryCause::Peer,
        Cause::Earlier => v1::RecoveryCause::Earlier,
    }
}

/// What the recovery waits for at a peer; `None` when it is done with it.
fn wait(progress: &Progress) -> Option<v1::RecoveryWait> {
    if !progress.fenced {
        Some(v1::RecoveryWait::Fence)
    } else if !progress.heeds {
        Some(v1::RecoveryWait::Acts)
    } else if progress.recovering && !progress.stands {
        Some(v1::RecoveryWait::ItsFences)
    } else {
        (!progress.done).then_some(v1::RecoveryWait::Answer)
    }
}
