//! What an envelope takes of a statement: from memory, or out of the ledger without reading what it says.

use super::records::{ReadError, Records};
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_core::record::{StatementRecord, TraceContext};
use lienthong_store::Body;
use lienthong_wire::envelope::Enclosed;
use lienthong_wire::record::{KeptStatement, RecordError};
use std::borrow::Cow;
use std::sync::Arc;

/// A statement to be enclosed.
#[derive(Debug)]
pub(crate) enum Enclosure {
    /// Made lately.
    Recent(Arc<StatementRecord>),
    /// Read, with its content where that was wanted and is there.
    Kept(KeptStatement, Option<Bytes>),
}

/// What is read besides the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    /// Its content, which lies elsewhere on the disk.
    Content,
    /// Nothing.
    Nothing,
}

impl Enclosure {
    pub(crate) fn enclosed(&self) -> Enclosed<'_> {
        match self {
            Self::Recent(record) => (&*record.statement).into(),
            Self::Kept(kept, _) => kept.enclosed(),
        }
    }

    pub(crate) fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Recent(record) => record.content.as_deref(),
            Self::Kept(_, content) => content.as_deref(),
        }
    }

    pub(crate) fn trace(&self) -> Result<Option<Cow<'_, TraceContext>>, RecordError> {
        Ok(match self {
            Self::Recent(record) => record.trace.as_deref().map(Cow::Borrowed),
            Self::Kept(kept, _) => kept.trace()?.map(Cow::Owned),
        })
    }
}

impl Records {
    /// A statement to be enclosed.
    pub(crate) fn enclosure(
        &self,
        agency: &AgencyId,
        index: LedgerIndex,
        with: With,
    ) -> Result<Enclosure, ReadError> {
        if let Some(recent) = self.recent.get(agency, index.0) {
            return Ok(Enclosure::Recent(recent));
        }
        let of = (agency, index);
        let piece = self.reader.piece(self.place(agency, index)?, of)?;
        let kept = KeptStatement::find(piece.payload.clone(), piece.proof.clone())?;
        let content = match with {
            With::Content if kept.has_content() => match self.reader.body_of(&piece, of)? {
                Some(Body::Present(bytes)) => Some(bytes),
                Some(Body::Erased { .. }) | None => None,
            },
            With::Content | With::Nothing => None,
        };
        Ok(Enclosure::Kept(kept, content))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{recent::Recent, rows};
    use super::*;
    use lienthong_core::ids::{Digest, Head, Incarnation, WallMs};
    use lienthong_core::record::{Origin, Record};
    use lienthong_core::statement::{Body as Says, Claim, Sealed, Statement};
    use lienthong_store::queues::Queues;
    use lienthong_store::{Config, Ledger, NewRecord, Position, ScanFrom};
    use lienthong_wire::record::encode_record;
    use std::convert::Infallible;

    fn agency() -> AgencyId {
        AgencyId::parse("a").expect("an id")
    }

    fn statement(index: u64, content: Option<&[u8]>) -> StatementRecord {
        let claim = Claim {
            agency: agency(),
            incarnation: Incarnation(0),
            index: LedgerIndex(index),
            head: Head::EMPTY,
            made_at: WallMs(0),
            epoch: 1,
            officer: None,
        };
        let (body, proof) = (Arc::from(vec![index as u8; 300]), Arc::from(vec![7; 90]));
        let sealed = Sealed { sid: Digest::ZERO, body, proof };
        let trace = TraceContext { traceparent: "00-1-2-01".into(), tracestate: String::new() };
        StatementRecord {
            origin: Origin::Made,
            statement: Arc::new(Statement { claim, body: Says::Received(Vec::new()), sealed }),
            command: None,
            trace: content.map(|_| Arc::new(trace)),
            content: content.map(Arc::from),
        }
    }

    fn written(ledger: &mut Ledger, all: &[Record]) -> Vec<Position> {
        let new = (0..).zip(all).map(|(index, record)| {
            let encoded = encode_record(record);
            NewRecord {
                agency: agency(),
                index: LedgerIndex(index),
                payload: encoded.payload.into(),
                proof: Bytes::from_owner(encoded.proof),
                body: encoded.body.map(Bytes::from_owner),
            }
        });
        ledger.append(new.collect()).expect("appended").positions
    }

    #[test]
    fn what_is_read_is_what_was_in_memory() {
        let (dir, a) = (tempfile::tempdir().expect("a folder"), agency());
        let config = Config { segment_bytes: Config::SEGMENT_MIN, ..Config::new(dir.path()) };
        let opened = Ledger::open(&config, ScanFrom::Start, |_| Ok::<_, Infallible>(()));
        let mut ledger = opened.expect("a ledger").0;
        let statements = [statement(0, Some(&[5; 3_000])), statement(1, None)];
        let mut all: Vec<_> = statements.iter().cloned().map(Record::Statement).collect();
        all.push(Record::SnapshotTaken { sha256: Digest::ZERO, at: WallMs(0) });
        let places = written(&mut ledger, &all);
        let queues = Arc::new(Queues::open(&config).expect("opened").0);
        let records =
            Records { reader: ledger.reader(), queues: queues.clone(), recent: Arc::new(Recent::new()) };
        let read = |index, with| records.enclosure(&a, LedgerIndex(index), with);
        assert!(matches!(read(0, With::Content), Err(ReadError::NoPlace { .. })), "nobody knows where");
        queues.apply(ledger.end_position(), rows::record_rows(&a, 0, &places)).expect("applied");
        for _ in 0..2 {
            for (index, made) in (0..).zip(&statements) {
                let (read, made) = (read(index, With::Content).expect("read"), Arc::new(made.clone()));
                let made = Enclosure::Recent(made);
                assert!(matches!(read, Enclosure::Kept(..)));
                assert_eq!(read.enclosed(), made.enclosed());
                assert_eq!(read.content(), made.content());
                assert_eq!(read.trace(), made.trace());
            }
        }
        assert_eq!(records.recent.place(&a, 1), Some(places[1]), "the queues were asked once");
        assert_eq!(read(0, With::Nothing).expect("read").content(), None, "only where it is wanted");
        let wrong = |read| matches!(read, Err(ReadError::Record(RecordError::UnknownFact)));
        assert!(wrong(read(2, With::Nothing)), "no statement");
        ledger.erase_body(places[0]).expect("erased");
        assert_eq!(read(0, With::Content).expect("read").content(), None, "erased");
        records.recent.keep_places(&a, 0, &[places[1], places[0]]);
        assert!(matches!(read(0, With::Nothing), Err(ReadError::Store(_))), "another record lies there");
        records.recent.keep(&a, 0, all[0].clone());
        assert!(matches!(read(0, With::Nothing), Ok(Enclosure::Recent(_))));
    }
}
