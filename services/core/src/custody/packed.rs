//! A track in few bytes, and back: integers as short as they are, agencies and statement ids once and then by their
//! number. This is memory and a part of snapshots, nothing that is signed or sent.

use super::track::{Entry, Outcome, Phase, Track, Transfer};
use super::transfers::Transfers;
use crate::ids::{AgencyId, Digest, Hop, LedgerIndex, Sid, WallMs};
use crate::statement::{Channel, Commitment, Kind, RefusalCause};
use alloc::vec::Vec;

/// A track's bytes. Equal tracks have equal bytes.
pub fn pack(track: &Track) -> Vec<u8> {
    let mut out = Packer { bytes: Vec::with_capacity(512), agencies: Vec::new(), sids: Vec::new() };
    out.agency(&track.origin);
    out.text(&track.code);
    out.text(&track.procedure);
    out.number(track.procedure_version.into());
    out.byte(match track.channel {
        Channel::Counter => 0,
        Channel::Online => 1,
        Channel::Post => 2,
    });
    out.time(track.received_at);
    out.option(track.due_at, Packer::time);
    out.option(track.commitment.as_ref(), |out, commitment| {
        out.text(&commitment.format);
        out.bytes.extend(commitment.digest.0);
        out.number(commitment.length);
    });
    out.option(track.content, Packer::index);
    out.number(track.hop.0.into());
    out.number(track.entries.len() as u64);
    track.entries.iter().for_each(|entry| out.entry(entry));
    out.number(track.transfers.len() as u64);
    track.transfers.iter().for_each(|(tid, transfer)| out.transfer(tid, transfer));
    out.option(track.completed, Packer::sid);
    out.option(track.returned, Packer::sid);
    match track.phase {
        Phase::Followed => out.byte(0),
        Phase::Held => out.byte(1),
        Phase::Gone => out.byte(2),
        Phase::Out => out.byte(3),
        Phase::Offered(tid) => {
            out.byte(4);
            out.sid(tid);
        }
        Phase::Inbox(tid) => {
            out.byte(5);
            out.sid(tid);
        }
    }
    out.bytes
}

/// The track of these bytes; nothing where they are none.
pub fn unpack(bytes: &[u8]) -> Option<Track> {
    let mut from = Unpacker { bytes, agencies: Vec::new(), sids: Vec::new() };
    let track = Track {
        origin: from.agency()?,
        code: from.text()?.into(),
        procedure: from.text()?.into(),
        procedure_version: from.number()?.try_into().ok()?,
        channel: match from.byte()? {
            0 => Channel::Counter,
            1 => Channel::Online,
            2 => Channel::Post,
            _ => return None,
        },
        received_at: from.time()?,
        due_at: from.option(Unpacker::time)?,
        commitment: from.option(|from| {
            let (format, digest) = (from.text()?.into(), from.digest()?);
            Some(Commitment { format, digest, length: from.number()? })
        })?,
        content: from.option(Unpacker::index)?,
        hop: from.hop()?,
        entries: from.many(Unpacker::entry)?,
        transfers: from.transfers()?,
        completed: from.option(Unpacker::sid)?,
        returned: from.option(Unpacker::sid)?,
        phase: match from.byte()? {
            0 => Phase::Followed,
            1 => Phase::Held,
            2 => Phase::Gone,
            3 => Phase::Out,
            4 => Phase::Offered(from.sid()?),
            5 => Phase::Inbox(from.sid()?),
            _ => return None,
        },
    };
    from.bytes.is_empty().then_some(track)
}

struct Packer {
    bytes: Vec<u8>,
    agencies: Vec<AgencyId>,
    sids: Vec<Sid>,
}

impl Packer {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn time(&mut self, time: WallMs) {
        self.number((time.0 << 1 ^ time.0 >> 63) as u64);
    }

    fn index(&mut self, index: LedgerIndex) {
        self.number(index.0);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    /// By its number where it came before, else its number and itself.
    fn agency(&mut self, agency: &AgencyId) {
        let known = self.agencies.iter().position(|a| a == agency);
        self.number(known.unwrap_or(self.agencies.len()) as u64);
        if known.is_none() {
            self.agencies.push(agency.clone());
            self.text(agency.as_str());
        }
    }

    fn sid(&mut self, sid: Sid) {
        let known = self.sids.iter().position(|s| *s == sid);
        self.number(known.unwrap_or(self.sids.len()) as u64);
        if known.is_none() {
            self.sids.push(sid);
            self.bytes.extend(sid.0);
        }
    }

    fn entry(&mut self, entry: &Entry) {
        self.sid(entry.sid);
        let kind = Kind::ALL.iter().position(|k| *k == entry.kind);
        self.byte(kind.unwrap_or(Kind::ALL.len()) as u8);
        self.option(entry.prev, Self::sid);
        self.agency(&entry.maker);
        self.cause(entry.cause);
        self.number(entry.size.into());
        self.index(entry.index);
        self.option(entry.answer, Self::index);
    }

    fn transfer(&mut self, tid: &Sid, transfer: &Transfer) {
        self.sid(*tid);
        self.number(transfer.hop.0.into());
        self.agency(&transfer.from);
        self.agency(&transfer.to);
        self.index(transfer.offer);
        self.byte(transfer.arrived.into());
        self.option(transfer.receipt, Self::index);
        self.option(transfer.outcome, |out, outcome| {
            out.sid(outcome.sid);
            out.index(outcome.index);
            out.cause(outcome.refused);
        });
        self.option(transfer.cancel, Self::index);
    }

    fn cause(&mut self, cause: Option<RefusalCause>) {
        self.byte(match cause {
            None => 0,
            Some(RefusalCause::Officer) => 1,
            Some(RefusalCause::Recalled) => 2,
            Some(RefusalCause::Policy) => 3,
            Some(RefusalCause::Reclaimed) => 4,
            Some(RefusalCause::Succeeded) => 5,
        });
    }
}

struct Unpacker<'b> {
    bytes: &'b [u8],
    agencies: Vec<AgencyId>,
    sids: Vec<Sid>,
}

impl<'b> Unpacker<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn time(&mut self) -> Option<WallMs> {
        let number = self.number()?;
        Some(WallMs((number >> 1) as i64 ^ -((number & 1) as i64)))
    }

    fn index(&mut self) -> Option<LedgerIndex> {
        self.number().map(LedgerIndex)
    }

    fn hop(&mut self) -> Option<Hop> {
        self.number()?.try_into().ok().map(Hop)
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = self.number()?.try_into().ok()?;
        core::str::from_utf8(self.take(length)?).ok()
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take(32)?.try_into().ok().map(Digest)
    }

    fn option<T>(&mut self, get: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => get(self).map(Some),
            _ => None,
        }
    }

    fn many<T>(&mut self, get: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        // What is many has a sid at least, or the number of one: a wrong count takes no more room than there are bytes.
        let count = usize::try_from(self.number()?).ok().filter(|count| *count <= self.bytes.len())?;
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(get(self)?);
        }
        Some(all)
    }

    fn agency(&mut self) -> Option<AgencyId> {
        let number = self.number()? as usize;
        if number == self.agencies.len() {
            let agency = AgencyId::parse(self.text()?)?;
            self.agencies.push(agency);
        }
        self.agencies.get(number).cloned()
    }

    fn sid(&mut self) -> Option<Sid> {
        let number = self.number()? as usize;
        if number == self.sids.len() {
            let sid = self.digest()?;
            self.sids.push(sid);
        }
        self.sids.get(number).copied()
    }

    fn entry(&mut self) -> Option<Entry> {
        Some(Entry {
            sid: self.sid()?,
            kind: *Kind::ALL.get(usize::from(self.byte()?))?,
            prev: self.option(Self::sid)?,
            maker: self.agency()?,
            cause: self.cause()?,
            size: self.number()?.try_into().ok()?,
            index: self.index()?,
            answer: self.option(Self::index)?,
        })
    }

    fn transfers(&mut self) -> Option<Transfers> {
        let mut transfers = Transfers::default();
        for (tid, transfer) in self.many(|from| Some((from.sid()?, from.transfer()?)))? {
            transfers.add(tid, transfer);
        }
        Some(transfers)
    }

    fn transfer(&mut self) -> Option<Transfer> {
        Some(Transfer {
            hop: self.hop()?,
            from: self.agency()?,
            to: self.agency()?,
            offer: self.index()?,
            arrived: self.byte()? == 1,
            receipt: self.option(Self::index)?,
            outcome: self.option(|from| {
                Some(Outcome { sid: from.sid()?, index: from.index()?, refused: from.cause()? })
            })?,
            cancel: self.option(Self::index)?,
        })
    }

    fn cause(&mut self) -> Option<Option<RefusalCause>> {
        Some(match self.byte()? {
            0 => None,
            1 => Some(RefusalCause::Officer),
            2 => Some(RefusalCause::Recalled),
            3 => Some(RefusalCause::Policy),
            4 => Some(RefusalCause::Reclaimed),
            5 => Some(RefusalCause::Succeeded),
            _ => return None,
        })
    }
}
