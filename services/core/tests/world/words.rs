//! Words between nodes, made by hand, and those that are on a disk.

use super::codec::Plain;
use super::network::Letter;
use super::{World, id};
use lienthong_core::codec::Codec;
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, Head, Incarnation, LedgerIndex, Sid, WallMs};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::recovery::Word;
use lienthong_core::statement::{Body, Claim, Statement};
use std::sync::Arc;

/// A statement as an incarnation of `maker` makes it.
pub fn made(maker: &str, incarnation: u64, index: u64, body: Body) -> Arc<Statement> {
    let claim = Claim {
        agency: id(maker),
        incarnation: Incarnation(incarnation),
        index: LedgerIndex(index),
        head: Head::EMPTY,
        made_at: WallMs(0),
        epoch: 1,
        officer: None,
    };
    let sealed = Plain.seal(&claim, &body);
    Arc::new(Statement { claim, body, sealed })
}

/// Puts a statement of somebody else into a state.
pub fn apply(state: &mut State, statement: &Arc<Statement>) -> Sid {
    let (origin, sid) = (Origin::Learned, statement.sid());
    let statement = statement.clone();
    let record = StatementRecord { origin, statement, command: None, trace: None, content: None };
    state.apply(&Record::Statement(record));
    sid
}

/// How many words of this agency are on a disk.
pub fn said(world: &World, at: &AgencyId, maker: &AgencyId, is: impl Fn(&Word) -> bool) -> usize {
    let words = world.at(at).ledger.iter().filter_map(|record| match record {
        Record::Statement(r) if r.statement.claim.agency == *maker => match &r.statement.body {
            Body::Recovery(word) => Some(word),
            _ => None,
        },
        _ => None,
    });
    words.filter(|word| is(word)).count()
}

/// Hands a statement over in an envelope of `from`.
pub fn tell(
    world: &mut World,
    from: &AgencyId,
    to: &AgencyId,
    statement: Arc<Statement>,
) -> Result<(), Reason> {
    let (from, to) = (from.clone(), to.clone());
    let (certificate, content) = (Vec::new(), None);
    world.letters.push(Letter { from, to, statement, certificate, content, delivered: 0, forged: true });
    world.deliver(world.letters.len() - 1).unwrap()
}
