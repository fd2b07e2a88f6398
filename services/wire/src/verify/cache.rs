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
