//! Words of a recovery, to and from bytes.

use super::decode::{agency, digest};
use super::encode::hash;
use crate::scan::Fields;
use bytes::Bytes;
use lienthong_core::authority::ACTS;
use lienthong_core::authority::reclaim::SOUGHT_AT_ONCE;
use lienthong_core::ids::{Digest, Incarnation};
use lienthong_core::reason::Reason;
use lienthong_core::recovery::{
    ASK_PARTS, ASKED_AT_ONCE, Ask, Estate, Given, HIGHEST_INCARNATION, Known, Left, Nonce, VOUCHED_AT_ONCE,
    Word,
};
use lienthong_core::statement::AckItem;
use lienthong_proto::v1;
use lienthong_proto::v1::recovery::Word as Said;

const MALFORMED: Reason = Reason::MalformedStatement;

pub(super) fn of_word(word: &Word) -> Said {
    match word {
        Word::Fence { incarnation, nonce } => {
            Said::Fence(v1::Fence { incarnation: incarnation.0, nonce: nonce.to_vec().into() })
        }
        Word::Fenced { fence, taken, held, recovering } => Said::Fenced(v1::Fenced {
            fence: hash(*fence),
            taken: *taken,
            held: held.0,
            recovering: *recovering,
        }),
        Word::Stands { fence } => Said::Stands(v1::Stands { fence: hash(*fence) }),
        Word::Ask(ask) => Said::Ask(of_ask(ask)),
        Word::Given(given) => Said::Given(of_given(given)),
        Word::Estate(estate) => Said::Estate(v1::Estate {
            acts: estate.acts.iter().copied().map(hash).collect(),
            ask: Some(of_ask(&estate.ask)),
        }),
        Word::Left(left) => Said::Left(v1::Left {
            given: Some(of_given(&left.given)),
            undecided: left.undecided,
            moved_on: left.moved_on,
        }),
        Word::Resumed { fence, vouched, last } => Said::Resumed(v1::Resumed {
            vouched: vouched.iter().copied().map(hash).collect(),
            last: *last,
            fence: hash(*fence),
        }),
        Word::Hello => Said::Hello(v1::Hello {}),
        Word::Rollback => Said::Rollback(v1::Rollback {}),
        Word::Seek { agency, acts, items } => Said::Seek(v1::Seek {
            agency: agency.as_str().into(),
            acts: acts.iter().copied().map(hash).collect(),
            items: items
                .iter()
                .map(|i| v1::SoughtTransfer { track: hash(i.track), tid: hash(i.sid) })
                .collect(),
        }),
        Word::Sought { seek } => Said::Sought(v1::Sought { seek: hash(*seek) }),
        Word::Acts { known, asks } => {
            Said::Acts(v1::KnownActs { known: known.iter().copied().map(hash).collect(), asks: *asks })
        }
    }
}

fn of_ask(ask: &Ask) -> v1::Ask {
    v1::Ask {
        round: ask.round,
        number: ask.number,
        of: ask.of,
        after: hash(ask.after),
        tracks: ask.tracks.iter().map(of_known).collect(),
        nonce: ask.nonce.to_vec().into(),
    }
}

fn of_given(given: &Given) -> v1::Given {
    v1::Given {
        nonce: given.nonce.to_vec().into(),
        round: given.round,
        number: given.number,
        of: given.of,
        more: given.more,
        track: given.track.map(hash).unwrap_or_default(),
    }
}

fn of_known(known: &Known) -> v1::KnownTrack {
    v1::KnownTrack {
        track: hash(known.track),
        statements: hash(known.statements),
        has_content: known.has_content,
    }
}

/// Counts what repeats in the word before anything is allocated for it.
pub(super) fn bounded(body: &[u8]) -> Result<(), Reason> {
    for field in Fields::of(body) {
        let (number, word) = field.map_err(|_| MALFORMED)?;
        let limits: &[(u32, usize)] = match number {
            5 => &[(5, ASKED_AT_ONCE)],
            7 => &[(1, VOUCHED_AT_ONCE)],
            10 => &[(1, ACTS)],
            11 => &[(2, ACTS), (3, SOUGHT_AT_ONCE)],
            13 => {
                asked(word)?;
                &[(1, ACTS)]
            }
            _ => continue,
        };
        for (repeated, limit) in limits {
            if crate::scan::count(word, *repeated).map_err(|_| MALFORMED)? > *limit {
                return Err(MALFORMED);
            }
        }
    }
    Ok(())
}

/// The question within a successor's.
fn asked(estate: &[u8]) -> Result<(), Reason> {
    for field in Fields::of(estate) {
        let (number, ask) = field.map_err(|_| MALFORMED)?;
        if number == 2 && crate::scan::count(ask, 5).map_err(|_| MALFORMED)? > ASKED_AT_ONCE {
            return Err(MALFORMED);
        }
    }
    Ok(())
}

pub(super) fn word(said: Said) -> Result<Word, Reason> {
    Ok(match said {
        Said::Fence(m) => Word::Fence { incarnation: incarnation(m.incarnation)?, nonce: nonce(&m.nonce)? },
        Said::Fenced(m) => Word::Fenced {
            fence: digest(&m.fence)?,
            taken: m.taken,
            held: incarnation(m.held)?,
            recovering: m.recovering,
        },
        Said::Stands(m) => Word::Stands { fence: digest(&m.fence)? },
        Said::Ask(m) => Word::Ask(ask(&m)?),
        Said::Given(m) => Word::Given(given(&m)?),
        Said::Estate(m) => Word::Estate(Estate {
            acts: m.acts.iter().map(digest).collect::<Result<Vec<Digest>, _>>()?,
            ask: ask(m.ask.as_ref().ok_or(MALFORMED)?)?,
        }),
        Said::Left(m) => Word::Left(Left {
            given: given(m.given.as_ref().ok_or(MALFORMED)?)?,
            undecided: m.undecided,
            moved_on: m.moved_on,
        }),
        Said::Resumed(m) => Word::Resumed {
            fence: digest(&m.fence)?,
            vouched: m.vouched.iter().map(digest).collect::<Result<Vec<Digest>, _>>()?,
            last: m.last,
        },
        Said::Hello(_) => Word::Hello,
        Said::Rollback(_) => Word::Rollback,
        Said::Seek(m) => Word::Seek {
            agency: agency(&m.agency)?,
            acts: m.acts.iter().map(digest).collect::<Result<Vec<Digest>, _>>()?,
            items: m
                .items
                .iter()
                .map(|i| Ok(AckItem { track: digest(&i.track)?, sid: digest(&i.tid)? }))
                .collect::<Result<_, Reason>>()?,
        },
        Said::Sought(m) => Word::Sought { seek: digest(&m.seek)? },
        Said::Acts(m) => Word::Acts {
            known: m.known.iter().map(digest).collect::<Result<Vec<Digest>, _>>()?,
            asks: m.asks,
        },
    })
}

fn incarnation(number: u64) -> Result<Incarnation, Reason> {
    if number > HIGHEST_INCARNATION { Err(MALFORMED) } else { Ok(Incarnation(number)) }
}

fn nonce(bytes: &Bytes) -> Result<Nonce, Reason> {
    bytes[..].try_into().map_err(|_| MALFORMED)
}

fn given(m: &v1::Given) -> Result<Given, Reason> {
    Ok(Given {
        nonce: nonce(&m.nonce)?,
        round: m.round,
        number: m.number,
        of: m.of,
        more: m.more,
        track: if m.track.is_empty() { None } else { Some(digest(&m.track)?) },
    })
}

fn ask(m: &v1::Ask) -> Result<Ask, Reason> {
    if m.number == 0 || m.number > m.of || m.of > ASK_PARTS {
        return Err(MALFORMED);
    }
    let known = |k: &v1::KnownTrack| {
        Ok(Known { track: digest(&k.track)?, statements: digest(&k.statements)?, has_content: k.has_content })
    };
    let tracks = m.tracks.iter().map(known).collect::<Result<_, Reason>>()?;
    Ok(Ask {
        nonce: nonce(&m.nonce)?,
        round: m.round,
        number: m.number,
        of: m.of,
        after: digest(&m.after)?,
        tracks,
    })
}
