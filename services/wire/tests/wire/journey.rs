//! A journey of two agencies, in both their ledgers.

use crate::fixture::{
    accept, ack, cancel, commitment, completed, directory, intake, note, offer, received, refuse, returned,
};
use crate::ledger::Ledger;
use bytes::Bytes;
use lienthong_core::ids::Sid;
use lienthong_core::record::Origin;
use lienthong_wire::evidence::{Fault, Verdict, What, verify};

/// A → B refused, A → B accepted, done and returned at B; both ledgers and the track.
pub(crate) struct Journey {
    pub(crate) a: Ledger,
    pub(crate) b: Ledger,
    pub(crate) track: Sid,
}

pub(crate) fn journey() -> Journey {
    let (mut a, mut b) = (Ledger::new("xa-a"), Ledger::new("huyen-b"));
    let content = Some(commitment());
    let intake = a.make(intake(content.clone()));
    let track = intake.sid();
    let remark = a.make(note(track, track, "Đã kiểm tra"));
    let first = a.make(offer(track, remark.sid(), 1, "huyen-b", content.clone()));
    a.other();
    b.keep(Origin::Learned, &intake);
    b.keep(Origin::Learned, &remark);
    b.keep(Origin::Taken, &first);
    let receipt = b.make(received(first.sid(), content.as_ref().map(|c| c.digest)));
    a.keep(Origin::Taken, &receipt);
    let refusal = b.make(refuse(track, first.sid(), 1));
    a.keep(Origin::Taken, &refusal);
    let second = a.make(offer(track, refusal.sid(), 2, "huyen-b", content));
    a.other();
    let recall = a.make(cancel(track, second.sid()));
    b.keep(Origin::Taken, &second);
    let taken = b.make(accept(track, second.sid(), 2));
    b.keep(Origin::Taken, &recall);
    a.keep(Origin::Taken, &taken);
    let thanks = a.make(ack(track, taken.sid()));
    b.keep(Origin::Taken, &thanks);
    let done = b.make(completed(track, taken.sid()));
    let closed = b.make(returned(track, done.sid()));
    a.keep(Origin::Taken, &done);
    a.keep(Origin::Taken, &closed);
    a.other();
    Journey { a, b, track }
}

pub(crate) fn check(bytes: Vec<u8>) -> Result<Verdict, Fault> {
    verify(Bytes::from(bytes), Some(&directory()))
}

pub(crate) fn what(bytes: Vec<u8>) -> What {
    check(bytes).map(drop).expect_err("is refused").what
}
