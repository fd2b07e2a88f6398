//! What the courier brings and may not be: it is kept in quarantine with its reason, size and hash, and nothing else
//! is recorded. What came before changes nothing at all.

use crate::courier::{Forger, Offered, Wire, Wrong, envelope, flipped, offered, pack, signature};
use crate::rig::Rig;
use bytes::Bytes;
use lienthong_core::ids::Digest;
use lienthong_core::reason::Reason;
use lienthong_core::statement::{AckItem, Body, Cancel, Note, ReceivedItem};
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Ops, eventually};
use lienthong_wire::chain::payload_hash;
use lienthong_wire::limits;

/// A message, who the subject says sent it, and why what is kept of it is kept.
struct Case {
    what: &'static str,
    from: &'static str,
    message: Bytes,
    /// The bytes in quarantine: an envelope, or the whole message when it is no pack.
    kept: Bytes,
    reason: Reason,
}

fn one(what: &'static str, from: &'static str, envelope: Vec<u8>, reason: Reason) -> Case {
    Case { what, from, message: pack(&[&envelope]), kept: envelope.into(), reason }
}

fn whole(what: &'static str, message: Bytes, reason: Reason) -> Case {
    Case { what, from: "huyen", kept: message.clone(), message, reason }
}

/// Hands the test speaks with, and an offer the commune took from the district.
struct Hands {
    district: Forger,
    department: Forger,
    taken: Offered,
}

impl Hands {
    fn fresh(&self, number: u32) -> Offered {
        offered(&self.district, number, "xa", &Wrong::default())
    }

    fn wrong(&self, number: u32, wrong: Wrong) -> Vec<u8> {
        offered(&self.district, number, "xa", &wrong).envelope()
    }
}

fn signatures(h: &Hands) -> Vec<Case> {
    use Reason as R;
    let sign =
        |number: u32, change: fn(&mut v1::DirectSignature)| h.fresh(number).changed(|e| change(signature(e)));
    let body = h.fresh(12).changed(|e| {
        let statement = e.statement.as_mut().expect("a statement");
        statement.body = flipped(&statement.body, 40);
    });
    let other_type = h.fresh(13).changed(|e| {
        e.statement.as_mut().expect("a statement").r#type = "application/vnd.lienthong.offer.v2".into();
    });
    let unproved = h.fresh(14).changed(|e| e.statement.as_mut().expect("a statement").proof = None);
    let note = |track: Digest| Body::Note(Note { track, prev: track, text: "giả".into() });
    let in_the_name = h.department.states_as(&h.district.id, note(h.taken.intake.sid()));
    let certificate = h.fresh(15).changed(|e| {
        let statement = &mut e.certificate[0];
        statement.body = flipped(&statement.body, 40);
    });
    vec![
        one(
            "a flipped bit in the signature",
            "huyen",
            sign(10, |s| s.signature = flipped(&s.signature, 5)),
            R::BadSignature,
        ),
        one(
            "a signature cut short",
            "huyen",
            sign(11, |s| s.signature = s.signature.slice(..63)),
            R::BadSignature,
        ),
        one("a flipped bit in the body", "huyen", body, R::BadSignature),
        one("a key nobody has", "huyen", sign(16, |s| s.key_id = "huyen.2".into()), R::UnknownKey),
        one("another agency's key", "huyen", sign(17, |s| s.key_id = "so.1".into()), R::BadSignature),
        one("an unknown algorithm", "huyen", sign(18, |s| s.algorithm = 2), R::BadSignature),
        one("signed in another's name", "huyen", envelope(&in_the_name, &[], None), R::BadSignature),
        one("no proof", "huyen", unproved, R::BadSignature),
        // The signature covers the type, so a version nobody knows is a wrong signature first.
        one("another type", "huyen", other_type, R::BadSignature),
        one("a forged certificate", "huyen", certificate, R::BadCertificate),
    ]
}

fn shapes(h: &Hands) -> Vec<Case> {
    use Reason as R;
    let good = h.fresh(20).envelope();
    let cut = pack(&[&good]);
    let many = [0x0a, 0x00].repeat(limits::PACK_ENVELOPES + 1);
    let long = offered(&h.district, 21, "xa", &Wrong { note: "a".repeat(2_001), ..Wrong::default() });
    let text = h.district.states(Body::Note(Note {
        track: h.taken.intake.sid(),
        prev: Digest([1; 32]),
        text: "b".repeat(60_000),
    }));
    vec![
        whole("garbage", Bytes::from_static(b"\xff\x00\xfegarbage"), R::Undecodable),
        whole("an empty message", Bytes::new(), R::Undecodable),
        whole("a pack cut short", cut.slice(..cut.len() - 7), R::Undecodable),
        whole("too many envelopes", many.into(), R::TooManyItems),
        one("an envelope of garbage", "huyen", b"\x0a\x05abc".to_vec(), R::Undecodable),
        one("an envelope without a statement", "huyen", b"\x1a\x00".to_vec(), R::Undecodable),
        one("two statements", "huyen", [&good[..], &good[..]].concat(), R::Undecodable),
        one("a note above its limit", "huyen", long.envelope(), R::MalformedStatement),
        one("a text above its limit", "huyen", envelope(&text, &[], None), R::MalformedStatement),
    ]
}

fn senders(h: &Hands) -> Vec<Case> {
    use Reason as R;
    let genuine = h.taken.envelope();
    let to_another = offered(&h.district, 30, "so", &Wrong::default());
    vec![
        one("an envelope that was taken, from another's subject", "so", genuine.clone(), R::SenderMismatch),
        one("the same from nobody", "khong-co", genuine.clone(), R::SenderMismatch),
        one("the same from the receiver itself", "xa", genuine, R::SenderMismatch),
        one("another receiver's offer", "huyen", to_another.envelope(), R::UnknownTransfer),
        one("another receiver's offer, from that one", "so", to_another.envelope(), R::SenderMismatch),
    ]
}

fn contents(h: &Hands) -> Vec<Case> {
    use Reason as R;
    let intake = &h.taken.intake;
    let content = |change: fn(&mut v1::Envelope)| h.fresh(40).changed(change);
    let bare = h.fresh(41);
    let fork = offered_again(h);
    // Hops rise strictly and may skip, so only what is no hop at all is wrong in a first offer.
    let hop = |number: u32, hop: u32| h.wrong(number, Wrong { hop: Some(hop), ..Wrong::default() });
    vec![
        one(
            "content that does not match",
            "huyen",
            content(|e| e.content.as_mut().expect("content").data = "khác".into()),
            R::ContentMismatch,
        ),
        one(
            "content with another salt",
            "huyen",
            content(|e| e.content.as_mut().expect("content").salt = vec![0; 32].into()),
            R::ContentMismatch,
        ),
        one("content left out", "huyen", content(|e| e.content = None), R::ContentMismatch),
        one("no certificate", "huyen", bare.changed(|e| e.certificate.clear()), R::BadCertificate),
        one(
            "a certificate twice",
            "huyen",
            bare.changed(|e| e.certificate.extend(e.certificate.clone())),
            R::BadCertificate,
        ),
        one(
            "another track's certificate",
            "huyen",
            envelope(&bare.offer, &[intake], Some(&bare.content)),
            R::BadCertificate,
        ),
        one("hop 0", "huyen", hop(42, 0), R::MalformedStatement),
        one("a hop above the limit", "huyen", hop(44, 257), R::MalformedStatement),
        one(
            "a predecessor nobody made",
            "huyen",
            h.wrong(43, Wrong { prev: Some(Digest([7; 32])), ..Wrong::default() }),
            R::BadCertificate,
        ),
        one("a second offer in place of the first", "huyen", fork, R::Fork),
    ]
}

fn answers(h: &Hands) -> Vec<Case> {
    use Reason as R;
    let (intake, tid) = (&h.taken.intake, h.taken.offer.sid());
    let cancel = Cancel { track: intake.sid(), tid, reason: "đòi lại".into() };
    let stranger = h.department.states(Body::Cancel(cancel));
    let received = h.district.states(Body::Received(vec![ReceivedItem { tid, commitment: None }]));
    let accept = |track: Digest| {
        let accept = lienthong_core::statement::Accept {
            track,
            tid,
            hop: lienthong_core::ids::Hop(1),
            note: String::new(),
        };
        h.district.states(Body::Accept(accept))
    };
    vec![
        one(
            "a stranger's recall",
            "so",
            envelope(&stranger, &[intake, &h.taken.offer], None),
            R::CancelByStranger,
        ),
        one("a receipt for what was not given", "huyen", envelope(&received, &[], None), R::UnknownTransfer),
        one(
            "a decision of the giver",
            "huyen",
            envelope(&accept(intake.sid()), &[], None),
            R::UnknownTransfer,
        ),
        one(
            "a decision on no track",
            "huyen",
            envelope(&accept(Digest([3; 32])), &[], None),
            R::UnknownTransfer,
        ),
        one("an intake alone", "huyen", envelope(intake, &[], None), R::UnknownTransfer),
    ]
}

/// The same dossier offered once more from the same place of its spine.
fn offered_again(h: &Hands) -> Vec<u8> {
    let Body::Offer(offer) = &h.taken.offer.body else { panic!("an offer") };
    let other = lienthong_core::statement::Offer { note: "khác".into(), ..offer.clone() };
    envelope(&h.district.states(Body::Offer(other)), &[&h.taken.intake], Some(&h.taken.content))
}

/// Publishes a case, and says what is wrong with what became of it.
async fn quarantine(wire: &mut Wire, ops: &Ops, case: &Case) -> Option<String> {
    let before = ops.agency().await.expect("the status");
    let lane = if case.what.contains("recall") { "ctl" } else { "offer" };
    wire.publish(&format!("lt.v1.xa.from.{}.{lane}", case.from), &case.message).await;
    let kept = async || {
        let now = ops.agency().await.ok()?;
        (now.ledger_size > before.ledger_size).then_some(now)
    };
    let after = eventually(BOUND, case.what, kept).await;
    let last = ops.quarantine().await.expect("the quarantine").pop().unwrap_or_default();
    let seen = (&*last.from, last.reason, &*last.reason_name, last.length, &*last.sha256);
    let (number, name) = (case.reason.number(), crate::refused::name_of(case.reason));
    let hash = payload_hash(&case.kept).to_string();
    let expected = (case.from, number, &*name, case.kept.len() as u64, &*hash);
    if seen != expected || last.at_ms == 0 || last.ledger_index != before.ledger_size {
        return Some(format!(
            "{}: expected {expected:?} at {}, listed is {last:?}",
            case.what, before.ledger_size
        ));
    }
    let counts = |a: &v1::AgencyStatus| {
        (a.held, a.offered, a.inbox, a.gone, a.followed, a.refused, a.closed, a.outbox)
    };
    let quiet = after.ledger_size == before.ledger_size + 1
        && after.quarantined == before.quarantined + 1
        && counts(&after) == counts(&before);
    (!quiet)
        .then(|| format!("{}: more than a record of the quarantine: {before:?} then {after:?}", case.what))
}

/// Waits until the commune has so many offers to decide, and so many records that are durable.
async fn taken(ops: &Ops, inbox: u64, records: u64) {
    let arrived = async || {
        let now = ops.agency().await.ok()?;
        (now.inbox == inbox && now.ledger_size >= records).then_some(now.ledger_size)
    };
    assert_eq!(eventually(BOUND, "the offer is taken", arrived).await, records);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_envelopes_are_quarantined_and_change_nothing() {
    let Some(mut rig) = Rig::laid_out().await else { return };
    rig.province.node("xa").start().await;
    let (ops, mut wire) = (rig.province.ops("xa"), Wire::connect(rig.broker.port()).await);
    let [district, department] = ["huyen", "so"].map(|id| Forger::of(&rig.province, id));
    let taken_offer = offered(&district, 1, "xa", &Wrong::default());
    let h = Hands { district, department, taken: taken_offer };
    let genuine = h.taken.envelope();
    let subject = "lt.v1.xa.from.huyen.offer";
    wire.publish(subject, &pack(&[&genuine])).await;
    taken(&ops, 1, 5).await; // opened, greeting; intake, offer, receipt

    let mut faults = Vec::new();
    for case in
        signatures(&h).iter().chain(&shapes(&h)).chain(&senders(&h)).chain(&contents(&h)).chain(&answers(&h))
    {
        faults.extend(quarantine(&mut wire, &ops, case).await);
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));

    // Replayed, alone, often and in one pack: nothing is recorded. The garbage behind it tells when it was handled.
    let size = ops.agency().await.expect("the status").ledger_size;
    for message in [pack(&[&genuine]), pack(&[&genuine[..]; 3]), pack(&[&genuine])] {
        wire.publish(subject, &message).await;
    }
    let end = whole("the end of the replays", Bytes::from_static(b"\x07"), Reason::Undecodable);
    assert_eq!(quarantine(&mut wire, &ops, &end).await, None);
    assert_eq!(ops.agency().await.expect("the status").ledger_size, size + 1, "a replay left a record");

    // Nor does the same garbage, once it is kept.
    wire.publish(subject, &end.message).await;

    // A stale answer to nothing is no fault and no record either.
    let ack =
        h.district.states(Body::Ack(vec![AckItem { track: h.taken.intake.sid(), sid: Digest([5; 32]) }]));
    let other_end = whole("the end of the stale answer", Bytes::from_static(b"\x0f"), Reason::Undecodable);
    wire.publish("lt.v1.xa.from.huyen.offer", &pack(&[&envelope(&ack, &[], None)])).await;
    assert_eq!(quarantine(&mut wire, &ops, &other_end).await, None);

    // Each envelope of a pack is judged by itself.
    let (good, bad) = (h.fresh(2).envelope(), h.fresh(3).changed(|e| e.content = None));
    wire.publish(subject, &pack(&[&bad, &good, b"\x0a\x05abd"])).await;
    // Two in quarantine; intake, offer and receipt of the good one; the two ends of before.
    taken(&ops, 2, size + 7).await;
    rig.province.stop().await;
}

/// Above the limit of a pack, and within it but above that of a dossier's content: both are kept, and the node goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_bad_message_is_quarantined_and_the_node_goes_on() {
    let Some(mut rig) = Rig::laid_out().await else { return };
    rig.province.node("xa").start().await;
    let (ops, mut wire) = (rig.province.ops("xa"), Wire::connect(rig.broker.port()).await);
    let within = vec![0x07; 700 << 10].into();
    let above = vec![0x0a; limits::PACK_BYTES + 1].into();
    // Anything larger is refused by the stream itself, to whoever publishes it.
    let cases = [
        whole("garbage as large as a pack may be", within, Reason::Undecodable),
        whole("a pack too large", above, Reason::EnvelopeTooLarge),
    ];
    let mut faults = Vec::new();
    for case in &cases {
        faults.extend(quarantine(&mut wire, &ops, case).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(rig.province.node("xa").is_running(), "a peer's message stopped the node");
    rig.province.stop().await;
}
