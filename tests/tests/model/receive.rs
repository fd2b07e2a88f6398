//! What a letter does to the disk it reaches, and what is answered.

use super::disk::{Disk, Phase, insert, offer_of};
use super::rules::{Rule, Rules};
use super::words::{Id, Kind, Letter, Message, Statement, Tid};

/// Takes a letter. What it changes is on `disk`; the answers may be sent.
pub(crate) fn receive(disk: &mut Disk, letter: &Letter, rules: &Rules) -> Vec<Letter> {
    let inc = match &letter.message {
        Message::Ask(s, _) | Message::Decision(s) if !rules.holds(Rule::FenceByEnvelope) => s.place.inc,
        Message::Ask(..) | Message::Decision(_) | Message::Received(_) | Message::Ack(_) => letter.inc,
    };
    if inc < disk.fences[letter.from as usize] {
        return vec![]; // an incarnation that is no more
    }
    match &letter.message {
        Message::Ask(asked, certificate) => {
            if behind_the_mark(disk, asked, rules) {
                return vec![];
            }
            match asked.kind {
                Kind::Offer => offer(disk, asked, certificate, rules),
                Kind::Cancel => cancel(disk, asked, certificate, rules),
                Kind::Accept | Kind::Refuse => vec![],
            }
        }
        Message::Decision(decision) => decided(disk, decision),
        Message::Received(tid) => {
            if disk.made(Kind::Offer, *tid) && disk.decision(*tid).is_none() {
                insert(&mut disk.receipts, *tid);
            }
            vec![]
        }
        Message::Ack(tid) => {
            if disk.decision(*tid).is_some() {
                insert(&mut disk.acks, *tid);
            }
            vec![]
        }
    }
}

fn offer(disk: &mut Disk, asked: &Statement, certificate: &[Statement], rules: &Rules) -> Vec<Letter> {
    let tid = asked.tid;
    if let Some(decision) = disk.decision(tid) {
        return vec![answer(disk, tid.from, Message::Decision(decision))];
    }
    let receipt = answer(disk, tid.from, Message::Received(tid));
    if disk.phase(rules) == Phase::Inbox(tid) {
        return vec![receipt];
    }
    let Some(mut learned) = learn(disk, tid, certificate) else { return vec![] };
    let free = match learned.phase(rules) {
        Phase::None | Phase::Gone | Phase::Out => true,
        // Rule a certificate a higher hop is all the proof there is that the own offer was accepted.
        Phase::Offered(_) => !rules.holds(Rule::Certificate),
        Phase::Held | Phase::Inbox(_) => false,
    };
    if !free {
        return vec![];
    }
    learned.append(*asked, true);
    *disk = learned;
    vec![receipt]
}

/// A recall: the register answers. An undecided offer is refused, also one that has not arrived.
fn cancel(disk: &mut Disk, asked: &Statement, certificate: &[Statement], rules: &Rules) -> Vec<Letter> {
    let tid = asked.tid;
    if let Some(decision) = disk.decision(tid) {
        return vec![answer(disk, tid.from, Message::Decision(decision))];
    }
    if disk.phase(rules) == Phase::Inbox(tid) {
        let refusal = disk.make(Kind::Refuse, tid);
        return vec![answer(disk, tid.from, Message::Decision(refusal))];
    }
    let Some(mut learned) = learn(disk, tid, certificate) else { return vec![] };
    if !rules.holds(Rule::Tombstone) {
        // The giver is told, and nothing is remembered.
        let place = disk.next_place();
        let refusal = Statement { place, kind: Kind::Refuse, tid };
        return vec![answer(disk, tid.from, Message::Decision(refusal))];
    }
    learned.append(offer_of(tid), false);
    let refusal = learned.make(Kind::Refuse, tid);
    *disk = learned;
    vec![answer(disk, tid.from, Message::Decision(refusal))]
}

/// The disk with the certificate read in; nothing when the ask contradicts what is known here.
fn learn(disk: &Disk, tid: Tid, certificate: &[Statement]) -> Option<Disk> {
    let forgotten = |s: &Statement| s.maker() == disk.me && !disk.has(s);
    let forks = |s: Statement| {
        s.kind == Kind::Offer && (s.tid.hop, s.tid.from) == (tid.hop, tid.from) && s.tid != tid
    };
    if certificate.iter().any(forgotten) || disk.log.iter().any(|r| forks(r.statement)) {
        return None;
    }
    let mut learned = disk.clone();
    for s in certificate {
        if !learned.has(s) {
            learned.append(*s, false);
        }
    }
    Some(learned)
}

fn decided(disk: &mut Disk, decision: &Statement) -> Vec<Letter> {
    let tid = decision.tid;
    if !disk.made(Kind::Offer, tid) {
        return vec![]; // not an offer of this node as far as it knows
    }
    match disk.decision(tid) {
        Some(known) if known != *decision => return vec![], // a fork, for people to look at
        Some(_) => {}
        None => disk.append(*decision, false),
    }
    vec![answer(disk, tid.to, Message::Ack(tid))]
}

fn answer(disk: &Disk, to: Id, message: Message) -> Letter {
    Letter { from: disk.me, inc: disk.inc, to, message }
}

/// The mistake of telling duplicates by the highest index seen.
fn behind_the_mark(disk: &mut Disk, asked: &Statement, rules: &Rules) -> bool {
    if rules.holds(Rule::DuplicateByState) {
        return false;
    }
    let mark = &mut disk.marks[asked.maker() as usize];
    let behind = asked.place.index <= *mark;
    *mark = asked.place.index.max(*mark);
    behind && !disk.made(Kind::Offer, asked.tid)
}
