//! What is measured now and then rather than when it happens: what waits for whom, and the mailboxes' troubles.

use super::Handle;
use lienthong_core::reason::Reason;
use lienthong_link::Link;
use lienthong_runtime::Metrics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often: a scrape interval.
const EVERY: Duration = Duration::from_secs(10);

/// Runs until the loop ends.
pub(crate) async fn run(handle: Handle, link: Link, metrics: Arc<Metrics>) {
    let mut tick = tokio::time::interval(EVERY);
    let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
    let mut troubles: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    loop {
        tick.tick().await;
        for mailbox in link.status().mailboxes {
            let (repairs, stalls) = troubles.entry(mailbox.agency.to_string()).or_default();
            (*repairs..mailbox.repairs).for_each(|_| metrics.mailbox_repaired(mailbox.agency.as_str()));
            (*stalls..mailbox.stalls).for_each(|_| metrics.consumer_stalled(mailbox.agency.as_str()));
            (*repairs, *stalls) = (mailbox.repairs, mailbox.stalls);
        }
        let counted = handle.look(|hosts| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for host in hosts.values() {
                for ((_, to), _) in host.node.state().outbox.rows() {
                    *counts.entry(to.to_string()).or_default() += 1;
                }
            }
            counts
        });
        let counted = match counted.await {
            Ok(counted) => counted,
            Err(Reason::Overloaded) => continue,
            Err(_) => return,
        };
        // A peer for which nothing waits any more is told once more, or its last number stays.
        waiting.values_mut().for_each(|count| *count = 0);
        waiting.extend(counted);
        waiting.iter().for_each(|(peer, count)| metrics.outbox_waiting(peer, *count));
        waiting.retain(|_, count| *count > 0);
    }
}
