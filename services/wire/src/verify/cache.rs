//! What was verified lately, bounded in number and in bytes.

use lienthong_core::ids::{Sid, Spread};
use lienthong_core::statement::Statement;
use std::sync::Arc;

/// Statements kept at most: what is sent again within a moment. The next hop of a dossier mostly comes days later, when none of
/// some thousand more would be left either; but each that goes would have to be fetched from far down in memory.
const STATEMENTS: usize = 4_096;
/// Bytes of bodies and proofs kept at most.
const BYTES: usize = 32 * 1024 * 1024;

/// Verified statements, each at the place that its sid gives it, until another comes there.
#[derive(Debug)]
pub(super) struct Cache {
    places: Vec<Option<Arc<Statement>>>,
    bytes: usize,
    /// What is cleared next when the bytes are too many.
    hand: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { places: vec![None; STATEMENTS], bytes: 0, hand: 0 }
    }
}

fn place(sid: &Sid) -> usize {
    (sid.spread() % STATEMENTS as u64) as usize
}

impl Cache {
    pub(super) fn get(&self, sid: &Sid) -> Option<Arc<Statement>> {
        self.places[place(sid)].as_ref().filter(|known| known.sid() == *sid).cloned()
    }

    pub(super) fn put(&mut self, statement: Arc<Statement>) {
        let at = place(&statement.sid());
        self.clear(at);
        self.bytes += weight(&statement);
        self.places[at] = Some(statement);
        while self.bytes > BYTES {
            self.clear(self.hand);
            self.hand = (self.hand + 1) % STATEMENTS;
        }
    }

    fn clear(&mut self, at: usize) {
        let old = self.places[at].take();
        self.bytes -= old.map_or(0, |old| weight(&old));
    }
}

fn weight(statement: &Statement) -> usize {
    statement.sealed.body.len() + statement.sealed.proof.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_core::ids::{AgencyId, Digest, Head, Incarnation, LedgerIndex, WallMs};
    use lienthong_core::statement::{Body, Claim, Sealed};

    fn statement(number: u32, bytes: usize) -> Arc<Statement> {
        let mut sid = [0; 32];
        let spread = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        sid[..8].copy_from_slice(&(spread ^ spread >> 32).to_be_bytes());
        let agency = AgencyId::parse("a").expect("an id");
        let claim = Claim {
            agency,
            incarnation: Incarnation(1),
            index: LedgerIndex(0),
            head: Head::EMPTY,
            made_at: WallMs(0),
            epoch: 1,
            officer: None,
        };
        let sealed = Sealed { sid: Digest(sid), body: vec![0; bytes].into(), proof: Arc::from([]) };
        Arc::new(Statement { claim, body: Body::Ack(Vec::new()), sealed })
    }

    #[test]
    fn a_statement_is_there_until_another_comes_to_its_place() {
        let mut cache = Cache::default();
        let all: Vec<_> = (0..3 * STATEMENTS as u32).map(|number| statement(number, 1)).collect();
        for statement in &all {
            assert!(cache.get(&statement.sid()).is_none());
            cache.put(statement.clone());
            assert_eq!(cache.get(&statement.sid()), Some(statement.clone()));
        }
        let there = all.iter().filter(|statement| cache.get(&statement.sid()).is_some()).count();
        assert_eq!(there, cache.bytes);
        assert_eq!(there, cache.places.iter().flatten().count());
        assert!((STATEMENTS / 2..=STATEMENTS).contains(&there), "{there} of {STATEMENTS} places are used");
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let mut cache = Cache::default();
        for number in 0..100 {
            cache.put(statement(number, BYTES / 8));
            cache.put(statement(number, BYTES / 8));
            assert!(cache.bytes <= BYTES);
        }
        let there: Vec<_> = cache.places.iter().flatten().collect();
        assert_eq!((there.len(), cache.bytes), (8, BYTES), "full, and not above");
        let mut proved = Statement::clone(&statement(0, 5));
        proved.sealed.proof = Arc::from(*b"proof");
        assert_eq!(weight(&proved), 10);
    }
}
