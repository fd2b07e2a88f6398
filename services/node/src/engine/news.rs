//! What of the ledger is news for an officer, and the newest of it in memory: who watches an inbox is told when it is
//! durable, and waits for no row.

use lienthong_core::custody::state::State;
use lienthong_core::custody::track::{Phase, Track};
use lienthong_core::custody::tracks::Kept;
use lienthong_core::ids::{AgencyId, Sid, Tid, TrackId, WallMs};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Accept, Body, Refuse, Statement};
use lienthong_proto::v1;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What an officer is told of a record that is news.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// Its place.
    pub(crate) index: u64,
    kind: v1::InboxEventKind,
    /// The dossier.
    pub(crate) track: TrackId,
    tid: Option<Tid>,
    code: Arc<str>,
    from: AgencyId,
    sid: Sid,
    made_at: WallMs,
    /// It is an offer that waits for this agency's decision.
    pub(crate) is_undecided: bool,
}

impl News {
    /// The event.
    pub(crate) fn event(self) -> v1::InboxEvent {
        v1::InboxEvent {
            cursor: self.index,
            kind: self.kind as i32,
            dossier_id: self.track.to_string(),
            dossier_code: self.code.to_string(),
            hand_off_id: self.tid.map_or_else(String::new, |t| t.to_string()),
            from: self.from.to_string(),
            statement_id: self.sid.to_string(),
            made_at_ms: self.made_at.0,
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

/// What an officer is told of a record, if it is news. Said by a state that knows the record and perhaps more.
pub(crate) fn of(state: &State, index: u64, record: &StatementRecord) -> Option<News> {
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
    Some(News {
        index,
        kind,
        track: id,
        tid,
        code: track.code.clone(),
        from: statement.claim.agency.clone(),
        sid: statement.sid(),
        made_at: statement.claim.made_at,
        is_undecided: is_offered,
    })
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

/// News kept in memory for each agency, some 200 bytes each: as many as statements that need not be read back. Who is further
/// behind is told from the rows.
const LATEST: usize = 8_192;
/// For so long what was told of an offer when it came is told as it was: longer than events wait for a watcher who keeps up.
/// Later it may have been decided, and the state is asked.
const FRESH: Duration = Duration::from_secs(1);

/// The newest news of an agency.
#[derive(Debug)]
pub(crate) struct Latest {
    /// Everything that is news from here on is in it.
    since: u64,
    news: VecDeque<(Instant, News)>,
}

/// News from a place on.
#[derive(Debug)]
pub(crate) enum From {
    /// What they are, as they came just now.
    Fresh(Vec<News>),
    /// Where they are.
    Places(Vec<u64>),
    /// That was too long ago: from this place on they are known.
    Behind(u64),
}

impl Latest {
    /// Nothing yet: what is to come begins with this place.
    fn new(since: u64) -> Self {
        Self { since, news: VecDeque::new() }
    }

    fn add(&mut self, at: Instant, news: impl IntoIterator<Item = News>) {
        self.news.extend(news.into_iter().map(|news| (at, news)));
        while self.news.len() > LATEST
            && let Some((_, oldest)) = self.news.pop_front()
        {
            self.since = oldest.index + 1;
        }
    }

    /// At most so many from a place on.
    pub(crate) fn from(&self, now: Instant, from: u64, limit: usize) -> From {
        if from < self.since {
            return From::Behind(self.since);
        }
        let at = self.news.partition_point(|(_, news)| news.index < from);
        let some = || self.news.range(at..).take(limit);
        // The oldest comes first.
        match some().next() {
            Some((came, _)) if now.duration_since(*came) >= FRESH => {
                From::Places(some().map(|(_, news)| news.index).collect())
            }
            _ => From::Fresh(some().map(|(_, news)| news.clone()).collect()),
        }
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
pub(crate) fn tell(to: &Tell, agency: &AgencyId, news: Vec<News>) {
    if let Some(latest) = to.get(agency).filter(|_| !news.is_empty()) {
        latest.send_modify(|latest| latest.add(Instant::now(), news));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_core::ids::Digest;

    fn news(index: u64) -> News {
        News {
            index,
            kind: v1::InboxEventKind::Offered,
            track: Digest::ZERO,
            tid: None,
            code: "".into(),
            from: AgencyId::parse("a").expect("an id"),
            sid: Digest::ZERO,
            made_at: WallMs(0),
            is_undecided: true,
        }
    }

    /// Places of those that are fresh; the place from which on they are known.
    fn fresh(latest: &Latest, from: u64, limit: usize) -> Result<Vec<u64>, u64> {
        match latest.from(Instant::now(), from, limit) {
            From::Fresh(news) => Ok(news.into_iter().map(|news| news.index).collect()),
            From::Places(places) => panic!("{places:?} are not fresh"),
            From::Behind(since) => Err(since),
        }
    }

    #[test]
    fn the_newest_are_known_and_what_came_before_is_not() {
        let (mut latest, now) = (Latest::new(10), Instant::now() + Duration::from_secs(3_600));
        assert_eq!(fresh(&latest, 9, 5), Err(10));
        assert_eq!(fresh(&latest, 10, 5), Ok(vec![]), "nothing came yet, and nothing is missing");
        latest.add(now, [12, 15].map(news));
        latest.add(now, [news(16)]);
        assert_eq!(fresh(&latest, 10, 5), Ok(vec![12, 15, 16]));
        assert_eq!(fresh(&latest, 13, 1), Ok(vec![15]));
        assert_eq!((fresh(&latest, 17, 5), fresh(&latest, u64::MAX, 5)), (Ok(vec![]), Ok(vec![])));
        latest.add(now, (0..LATEST as u64 - 1).map(|n| news(20 + 2 * n)));
        assert_eq!(fresh(&latest, 15, 5), Err(16), "12 and 15 had to go");
        assert_eq!(fresh(&latest, 16, 2), Ok(vec![16, 20]));
        assert_eq!(latest.news.len(), LATEST);
    }

    #[test]
    fn of_what_came_a_while_ago_only_the_place_is_told() {
        let (mut latest, came) = (Latest::new(0), Instant::now());
        latest.add(came, [news(3)]);
        latest.add(came + FRESH, [news(5)]);
        let from = |after: Duration, from| latest.from(came + after, from, 9);
        let just = FRESH.saturating_sub(Duration::from_nanos(1));
        assert!(matches!(from(just, 0), From::Fresh(all) if all.len() == 2));
        assert!(matches!(from(FRESH, 0), From::Places(places) if places == [3, 5]), "one is old");
        assert!(matches!(from(FRESH, 4), From::Fresh(all) if all[0].index == 5));
        assert!(matches!(from(FRESH * 2, 4), From::Places(places) if places == [5]));
    }

    #[test]
    fn who_watches_hears_of_its_agency_alone() {
        let [a, b] = ["a", "b"].map(|id| AgencyId::parse(id).expect("an id"));
        let mut states = [a.clone(), b.clone()].map(State::new);
        states[1].durable.size = 7;
        let (to, mut heard) = channels([&a, &b].into_iter().zip(&states));
        tell(&to, &a, vec![news(3)]);
        tell(&to, &b, Vec::new());
        let has_changed = |hear: &mut watch::Receiver<Latest>| hear.has_changed().expect("open");
        assert_eq!(heard.values_mut().map(has_changed).collect::<Vec<_>>(), [true, false]);
        assert_eq!(fresh(&heard[&a].borrow(), 0, 9), Ok(vec![3]));
        assert_eq!(fresh(&heard[&b].borrow(), 0, 9), Err(7));
    }
}
