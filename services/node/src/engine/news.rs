//! What of the ledger is news for an officer, and the newest of it in memory: who watches an inbox is told when it is
//! durable, and waits for no row.

use lienthong_core::custody::state::State;
use lienthong_core::custody::track::{Phase, Track};
use lienthong_core::custody::tracks::Kept;
use lienthong_core::ids::{AgencyId, Tid, TrackId};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Accept, Body, Refuse, Statement};
use lienthong_proto::v1;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::watch;

/// What the state says of a statement that is news.
#[derive(Debug)]
pub(crate) struct About {
    kind: v1::InboxEventKind,
    track: TrackId,
    tid: Option<Tid>,
    code: Arc<str>,
    /// It is an offer that waits for this agency's decision.
    pub(crate) is_undecided: bool,
}

impl About {
    /// The event of the statement.
    pub(crate) fn event(self, index: u64, statement: &Statement) -> v1::InboxEvent {
        v1::InboxEvent {
            cursor: index,
            kind: self.kind as i32,
            dossier_id: self.track.to_string(),
            dossier_code: self.code.to_string(),
            hand_off_id: self.tid.map_or_else(String::new, |t| t.to_string()),
            from: statement.claim.agency.to_string(),
            statement_id: statement.sid().to_string(),
            made_at_ms: statement.claim.made_at.0,
            undecided: self.is_undecided,
        }
    }
}

/// Whether a record may be news: what comes from others, and of what is made here only what no officer asked for.
pub(crate) fn may_be(record: &Record) -> bool {
    let Record::Statement(record) = record else { return false };
    match record.origin {
        Origin::Taken | Origin::Learned => true,
        Origin::Made | Origin::Returned => matches!(record.statement.body, Body::Succeed(_)),
    }
}

/// The dossier of a record that is news for an officer.
pub(crate) fn dossier(state: &State, record: &Record) -> Option<TrackId> {
    let Record::Statement(record) = record else { return None };
    about(state, record).map(|about| about.track)
}

/// What an officer is told of a record, if it is news. Said by a state that knows the record and perhaps more.
pub(crate) fn about(state: &State, record: &StatementRecord) -> Option<About> {
    use v1::InboxEventKind as K;
    let statement = &*record.statement;
    let id = statement.track()?;
    let kept = state.tracks.kept(&id)?;
    let track = &*kept.read();
    let given = |tid| track.transfers.get(tid).is_some_and(|t| t.from == state.me);
    let is_news = match record.origin {
        Origin::Made | Origin::Returned => matches!(statement.body, Body::Succeed(_)),
        Origin::Taken => true,
        Origin::Learned => is_learned_news(statement, track, &state.me),
    };
    if !is_news {
        return None;
    }
    let (kind, tid) = match &statement.body {
        Body::Offer(offer) if offer.to == state.me => (K::Offered, Some(statement.sid())),
        Body::Accept(b) if given(&b.tid) => (K::Accepted, Some(b.tid)),
        Body::Refuse(b) if given(&b.tid) => (K::Refused, Some(b.tid)),
        Body::Cancel(b) => (K::Recalled, Some(b.tid)),
        Body::Offer(_) => (K::Followed, Some(statement.sid())),
        Body::Accept(b) => (K::Followed, Some(b.tid)),
        Body::Refuse(b) => (K::Followed, Some(b.tid)),
        Body::Reclaim(b) => (K::Followed, Some(b.tid)),
        Body::Succeed(_) if statement.claim.agency == state.me => (K::Succeeded, None),
        Body::Succeed(_) => (K::Followed, None),
        Body::Note(_) | Body::Completed(_) | Body::Returned(_) => (K::Followed, None),
        Body::Intake(_)
        | Body::Received(_)
        | Body::Ack(_)
        | Body::Checkpoint { .. }
        | Body::Recovery(_)
        | Body::Retire(_) => return None,
    };
    let is_offered = kind == K::Offered && tid.is_some_and(|tid| is_open_in_phase(&kept, Phase::Inbox(tid)));
    Some(About { kind, track: id, tid, code: track.code.clone(), is_undecided: is_offered })
}

/// Whether an offer of a dossier may wait for this agency's decision.
pub(crate) fn may_be_undecided(state: &State, id: &TrackId) -> bool {
    matches!(state.tracks.kept(id), Some(Kept::Open(track)) if matches!(track.phase, Phase::Inbox(_)))
}

/// What is closed waits for nobody.
fn is_open_in_phase(kept: &Kept, phase: Phase) -> bool {
    matches!(kept, Kept::Open(track) if track.phase == phase)
}

/// A certificate may bring what its own envelope has not brought yet. The late envelope is a duplicate then, so whoever
/// gave or took in the dossier is told now or never. To everyone else a certificate is only history.
fn is_learned_news(statement: &Statement, track: &Track, me: &AgencyId) -> bool {
    let is_origin = track.origin == *me;
    match &statement.body {
        Body::Accept(Accept { tid, .. }) | Body::Refuse(Refuse { tid, .. }) => {
            is_origin || track.transfers.get(tid).is_some_and(|t| t.from == *me)
        }
        // One to this agency came with a recall, or comes still: it is in the inbox only when it arrives itself.
        Body::Offer(offer) => is_origin && offer.to != *me,
        Body::Note(_) | Body::Completed(_) | Body::Returned(_) | Body::Reclaim(_) | Body::Succeed(_) => {
            is_origin
        }
        _ => false,
    }
}

/// News kept in memory for each agency: as many as statements that need not be read back. Who is further behind is told
/// from the rows.
const LATEST: usize = 8_192;

/// Where the newest news of an agency are in its ledger.
#[derive(Debug)]
pub(crate) struct Latest {
    /// Everything that is news from here on is in it.
    since: u64,
    indices: VecDeque<u64>,
}

impl Latest {
    /// Nothing yet: what is to come begins with this place.
    fn new(since: u64) -> Self {
        Self { since, indices: VecDeque::new() }
    }

    fn add(&mut self, news: impl IntoIterator<Item = u64>) {
        self.indices.extend(news);
        while self.indices.len() > LATEST
            && let Some(oldest) = self.indices.pop_front()
        {
            self.since = oldest + 1;
        }
    }

    /// At most so many from a place on; where that is too long ago, the place from which on they are known.
    pub(crate) fn from(&self, from: u64, limit: usize) -> Result<Vec<u64>, u64> {
        if from < self.since {
            return Err(self.since);
        }
        let at = self.indices.partition_point(|index| *index < from);
        Ok(self.indices.range(at..).take(limit).copied().collect())
    }
}

/// The loop's end: it tells what is durable.
pub(crate) type Tell = BTreeMap<AgencyId, watch::Sender<Latest>>;
/// The watchers' end.
pub(crate) type Hear = BTreeMap<AgencyId, watch::Receiver<Latest>>;

/// Both ends, of agencies as they are at a start.
pub(crate) fn channels<'a>(agencies: impl Iterator<Item = (&'a AgencyId, &'a State)>) -> (Tell, Hear) {
    let ends = agencies.map(|(id, state)| (id, watch::channel(Latest::new(state.durable.size))));
    ends.map(|(id, (tell, hear))| ((id.clone(), tell), (id.clone(), hear))).unzip()
}

/// Tells the watchers of an agency of durable news.
pub(crate) fn tell(to: &Tell, agency: &AgencyId, news: &[u64]) {
    if let Some(latest) = to.get(agency).filter(|_| !news.is_empty()) {
        latest.send_modify(|latest| latest.add(news.iter().copied()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_known_and_what_came_before_is_not() {
        let mut latest = Latest::new(10);
        assert_eq!(latest.from(9, 5), Err(10));
        assert_eq!(latest.from(10, 5), Ok(vec![]), "nothing came yet, and nothing is missing");
        latest.add([12, 15]);
        latest.add([16]);
        assert_eq!(latest.from(10, 5), Ok(vec![12, 15, 16]));
        assert_eq!(latest.from(13, 1), Ok(vec![15]));
        assert_eq!((latest.from(17, 5), latest.from(u64::MAX, 5)), (Ok(vec![]), Ok(vec![])));
        latest.add((0..LATEST as u64 - 1).map(|n| 20 + 2 * n));
        assert_eq!(latest.from(15, 5), Err(16), "12 and 15 had to go");
        assert_eq!(latest.from(16, 2), Ok(vec![16, 20]));
        assert_eq!(latest.indices.len(), LATEST);
    }

    #[test]
    fn who_watches_hears_of_its_agency_alone() {
        let [a, b] = ["a", "b"].map(|id| AgencyId::parse(id).expect("an id"));
        let mut states = [a.clone(), b.clone()].map(State::new);
        states[1].durable.size = 7;
        let (to, mut heard) = channels([&a, &b].into_iter().zip(&states));
        tell(&to, &a, &[3]);
        tell(&to, &b, &[]);
        let news = |hear: &mut watch::Receiver<Latest>| hear.has_changed().expect("open");
        assert_eq!(heard.values_mut().map(news).collect::<Vec<_>>(), [true, false]);
        assert_eq!(heard[&a].borrow().from(0, 9), Ok(vec![3]));
        assert_eq!(heard[&b].borrow().from(0, 9), Err(7));
    }
}
