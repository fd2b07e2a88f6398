//! Mailboxes: take messages off, verify them away from the loop, hand them over.

use super::events::{Arrived, Opened};
use bytes::Bytes;
use lienthong_core::custody::arrival::Arrival;
use lienthong_core::ids::AgencyId;
use lienthong_core::reason::Reason;
use lienthong_link::{Delivery, Mailbox};
use lienthong_runtime::{TraceContext, trace};
use lienthong_wire::envelope::{open_envelope, open_pack};
use lienthong_wire::verify::Verifier;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Opened messages that may wait for the loop: with packs of up to 768 KiB this bounds the memory.
pub(crate) const WAITING: usize = 32;

/// Messages verified at one go: few enough that the loop starts early on the first of them.
const AT_A_TIME: usize = 8;

/// Reads one mailbox until it or the loop ends. Dropped messages come again.
pub(crate) async fn run(mut mailbox: Mailbox, verifier: Arc<Verifier>, loop_end: mpsc::Sender<Arrived>) {
    while let Some(deliveries) = mailbox.next().await {
        let mut deliveries = deliveries.into_iter().peekable();
        while deliveries.peek().is_some() {
            let some: Vec<Delivery> = deliveries.by_ref().take(AT_A_TIME).collect();
            let verifier = verifier.clone();
            let opening = move || some.into_iter().map(|d| open(&verifier, d)).collect::<Vec<_>>();
            let Ok(opened) = tokio::task::spawn_blocking(opening).await else { return };
            for arrived in opened {
                if loop_end.send(arrived).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn open(verifier: &Verifier, delivery: Delivery) -> Arrived {
    let Delivery { from, to, bytes, ack, .. } = delivery;
    let envelopes = match open_pack(bytes.clone()) {
        Ok(envelopes) => envelopes.into_iter().map(|e| open_one(verifier, &from, e)).collect(),
        Err(reason) => vec![Opened { bytes, arrival: Err(reason) }],
    };
    Arrived { from, to, envelopes, ack }
}

/// An envelope that crashes the decoder is poison like any other: it is kept aside, and the mailbox goes on.
fn open_one(verifier: &Verifier, from: &AgencyId, bytes: Bytes) -> Opened {
    let opening = AssertUnwindSafe(|| verified(verifier, from, bytes.clone()));
    let arrival = catch_unwind(opening).unwrap_or(Err(Reason::Undecodable));
    Opened { bytes, arrival: arrival.inspect_err(|reason| log(from, *reason)) }
}

fn verified(verifier: &Verifier, from: &AgencyId, bytes: Bytes) -> Result<Box<Arrival>, Reason> {
    open_envelope(verifier, from, bytes).map(|inbound| {
        let span = tracing::info_span!("envelope", kind = inbound.statement.body.kind().name());
        if let Some(sent) =
            inbound.trace.as_ref().and_then(|t| TraceContext::parse(&t.traceparent, &t.tracestate))
        {
            trace::set_parent(&span, &sent);
        }
        Box::new(Arrival {
            from: inbound.from,
            statement: inbound.statement,
            certificate: inbound.certificate,
            content: inbound.content,
            trace: inbound.trace.map(Arc::new),
        })
    })
}

fn log(from: &AgencyId, reason: Reason) {
    tracing::warn!(%from, reason = reason.number(), "an envelope could not be opened and goes to quarantine");
}
