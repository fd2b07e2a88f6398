//! What was verified lately, bounded in number and in bytes.

use lienthong_core::ids::Sid;
use lienthong_core::statement::Statement;
use lru::LruCache;
use std::sync::Arc;

/// Statements kept at most: the certificates of some hundred dossiers on their way.
const STATEMENTS: usize = 16_384;
/// Bytes of bodies and proofs kept at most.
const BYTES: usize = 32 * 1024 * 1024;

/// Verified statements by sid; the one not asked for longest goes first.
#[derive(Debug)]
pub(super) struct Cache {
    statements: LruCache<Sid, Arc<Statement>>,
    bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { statements: LruCache::unbounded(), bytes: 0 }
    }
}

impl Cache {
    pub(super) fn get(&mut self, sid: &Sid) -> Option<Arc<Statement>> {
        self.statements.get(sid).cloned()
    }

    pub(super) fn put(&mut self, statement: Arc<Statement>) {
        self.bytes += weight(&statement);
        if let Some(old) = self.statements.put(statement.sid(), statement) {
            self.bytes -= weight(&old);
        }
        while self.statements.len() > STATEMENTS || self.bytes > BYTES {
            let Some((_, old)) = self.statements.pop_lru() else { break };
            self.bytes -= weight(&old);
        }
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
        sid[..4].copy_from_slice(&number.to_be_bytes());
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
    fn it_is_bounded_in_number() {
        let mut cache = Cache::default();
        let first = statement(0, 1);
        cache.put(first.clone());
        for number in 1..=STATEMENTS as u32 {
            assert!(cache.get(&first.sid()).is_some(), "what is asked for stays");
            cache.put(statement(number, 1));
        }
        assert_eq!((cache.statements.len(), cache.bytes), (STATEMENTS, STATEMENTS));
        assert!(cache.get(&statement(1, 1).sid()).is_none(), "the one not asked for longest is gone");
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let mut cache = Cache::default();
        for number in 0..100 {
            cache.put(statement(number, BYTES / 8));
            cache.put(statement(number, BYTES / 8));
        }
        assert_eq!((cache.statements.len(), cache.bytes), (8, BYTES), "full, and not above");
        let mut proved = Statement::clone(&statement(0, 5));
        proved.sealed.proof = Arc::from(*b"proof");
        assert_eq!(weight(&proved), 10);
    }
}
