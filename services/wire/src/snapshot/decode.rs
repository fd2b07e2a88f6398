//! From bytes to states; anything unexpected makes the snapshot unusable, and nothing is lost by that.

use super::{FORMAT, PART_BYTES, Snapshot, Unusable, memory};
use crate::statement;
use bytes::Bytes;
use lienthong_core::custody::commands::{About, Kept};
use lienthong_core::custody::packed;
use lienthong_core::custody::state::State;
use lienthong_core::delivery::outbox::{Awaits, Row, RowKey};
use lienthong_core::ids::{AgencyId, Digest, Head, Incarnation, LedgerIndex, WallMs};
use lienthong_core::statement::Kind;
use lienthong_proto::v1;
use prost::Message;
use std::io::Read;
use std::sync::Arc;

/// Decodes a snapshot whose hash was checked.
///
/// # Errors
/// [`Unusable`], which names what is wrong.
pub fn decode(bytes: &[u8]) -> Result<Snapshot, Unusable> {
    read(&mut &*bytes)
}

/// Reads and decodes a snapshot whose hash was checked, a part at a time.
///
/// # Errors
/// [`Unusable`], which names what is wrong.
pub fn read(from: &mut dyn Read) -> Result<Snapshot, Unusable> {
    let begins: v1::Snapshot = message(from)?.ok_or(Unusable("encoding"))?;
    if begins.format != FORMAT {
        return Err(Unusable("format"));
    }
    let mut states: Vec<State> = Vec::new();
    while let Some(part) = message::<v1::AgencySnapshot>(from)? {
        match states.last_mut() {
            Some(state) if state.me.as_str() == part.agency => lists(state, part)?,
            _ => states.push(first(part)?),
        }
    }
    let physical_head = digest(&begins.physical_head)?;
    Ok(Snapshot { position: begins.position.to_vec(), physical_head, states })
}

/// The next message behind its length; none at the end.
fn message<M: Message + Default>(from: &mut dyn Read) -> Result<Option<M>, Unusable> {
    let mut length = 0;
    for shift in (0..32).step_by(7) {
        let mut byte = [0];
        match from.read(&mut byte) {
            Ok(0) if shift == 0 => return Ok(None),
            Ok(1) => length |= u64::from(byte[0] & 0x7f) << shift,
            Ok(_) | Err(_) => return Err(Unusable("encoding")),
        }
        if byte[0] < 0x80 {
            break;
        }
    }
    if length > PART_BYTES {
        return Err(Unusable("encoding"));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes).map_err(|_| Unusable("length"))?;
    M::decode(Bytes::from(bytes)).map(Some).map_err(|_| Unusable("encoding"))
}

fn first(m: v1::AgencySnapshot) -> Result<State, Unusable> {
    let mut state = State::new(agency(&m.agency)?);
    state.memory = memory::take(&m)?;
    state.incarnation = Incarnation(m.incarnation);
    state.next = LedgerIndex(m.size);
    state.durable = Head { size: m.size, hash: digest(&m.head)? };
    state.numbers = m.numbers.iter().map(|n| (n.day.as_str().into(), n.number)).collect();
    for q in &m.quarantined {
        let digests = q.digests.iter().map(digest).collect::<Result<Vec<_>, _>>()?;
        let kept = digests.into_iter().zip(q.indices.iter().copied().map(LedgerIndex)).collect();
        state.quarantined.insert(agency(&q.peer)?, kept);
    }
    lists(&mut state, m)?;
    Ok(state)
}

fn lists(state: &mut State, m: v1::AgencySnapshot) -> Result<(), Unusable> {
    for t in m.tracks {
        let track = packed::unpack(&t.packed).ok_or(Unusable("track"))?;
        let packed = track.returned.is_some().then(|| Arc::from(&*t.packed));
        state.put_track(digest(&t.id)?, track, packed);
    }
    for c in m.commands {
        let about = match (optional(&c.track)?, optional(&c.alone)?) {
            (Some(track), None) => About::Track(track),
            (None, Some(sid)) => About::Alone(sid),
            (Some(_), Some(_)) | (None, None) => return Err(Unusable("command")),
        };
        let short = |bytes: &Bytes| <[u8; 16]>::try_from(&**bytes).map_err(|_| Unusable("command"));
        let kept = Kept { digest: short(&c.digest)?, index: LedgerIndex(c.index), about };
        state.commands.put_named(short(&c.name)?, kept);
    }
    for m in m.outbox {
        let ((index, to), kept) = row(m)?;
        state.outbox.put((index, to), kept);
    }
    Ok(())
}

fn row(m: v1::OutboxSnapshot) -> Result<(RowKey, Row), Unusable> {
    let awaits = match m.awaits() {
        v1::AwaitsSnapshot::Receipt => Awaits::Receipt,
        v1::AwaitsSnapshot::Decision => Awaits::Decision,
        v1::AwaitsSnapshot::Answer => Awaits::Answer,
        v1::AwaitsSnapshot::Ack => Awaits::Ack,
        v1::AwaitsSnapshot::Unspecified => return Err(Unusable("outbox")),
    };
    let row = Row {
        sid: digest(&m.sid)?,
        kind: kind(&m.kind)?,
        track: digest(&m.track)?,
        awaits,
        since: WallMs(m.since_ms),
    };
    Ok(((LedgerIndex(m.index), agency(&m.to)?), row))
}

fn kind(name: &str) -> Result<Kind, Unusable> {
    Kind::ALL.into_iter().find(|k| k.name() == name).ok_or(Unusable("kind"))
}

pub(super) fn digest(bytes: &Bytes) -> Result<Digest, Unusable> {
    statement::digest(bytes).map_err(|_| Unusable("hash"))
}

pub(super) fn optional(bytes: &Bytes) -> Result<Option<Digest>, Unusable> {
    if bytes.is_empty() { Ok(None) } else { digest(bytes).map(Some) }
}

pub(super) fn agency(id: &str) -> Result<AgencyId, Unusable> {
    statement::agency(id).map_err(|_| Unusable("agency"))
}
