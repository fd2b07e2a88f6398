//! Fair shares: messages wait by sender (`K`), and a sender within its tokens goes before one beyond them.
//!
//! Nobody is slowed down for its own sake: a sender beyond its tokens has whatever nobody else needs. Only one whose
//! envelopes are refused is held to a rate, because refusing costs as much as taking.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Messages of one sender that may wait here: four chunks of the courier.
pub(crate) const PER_SENDER: usize = 1_024;
/// Bytes of one sender that may wait here: some twenty of the largest messages.
pub(crate) const BYTES_PER_SENDER: u64 = 16 << 20;
/// Bytes that may wait here altogether: what four senders at their bound take.
pub(crate) const BYTES: u64 = 64 << 20;
/// What a token stands for: the bytes of one ordinary envelope.
const TOKEN_BYTES: u64 = 2 << 10;
/// Tokens a second: a province at its worst sends 300 envelopes a second, all its agencies together.
const TOKENS_PER_S: f64 = 512.0;
/// Tokens that gather: a window of envelopes with their answers, as a peer sends that comes back.
const BURST: f64 = 2_048.0;
/// Refused envelopes a second: one in ten milliseconds leaves the verifiers to the others.
const REFUSED_PER_S: f64 = 100.0;
/// Refused envelopes in a row before that: as many as are kept in quarantine.
const REFUSED_BURST: f64 = 256.0;
/// Messages of one sender taken at one go.
const AT_A_TIME: usize = 8;
/// Bytes of them: a few milliseconds of verifying.
const BYTES_AT_A_TIME: u64 = 64 << 10;

/// Messages by sender.
#[derive(Debug)]
pub(crate) struct Fair<K, T> {
    senders: BTreeMap<K, Sender<T>>,
    /// Senders with something waiting that is not being worked on, whose turn is next first.
    turns: VecDeque<K>,
    bytes: u64,
}

#[derive(Debug)]
struct Sender<T> {
    waiting: VecDeque<(u64, T)>,
    bytes: u64,
    /// Something of it is being worked on: its messages stay in order.
    busy: bool,
    tokens: Bucket,
    refusals: Bucket,
}

/// Tokens that come back with time. It may be overdrawn by one use.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
    per_s: f64,
    burst: f64,
}

impl Bucket {
    fn full(now: Instant, per_s: f64, burst: f64) -> Self {
        Self { left: burst, at: now, per_s, burst }
    }

    fn has_some(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + since * self.per_s).min(self.burst), now);
        self.left > 0.0
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.has_some(now) && self.left >= self.burst
    }
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn<K, T> {
    /// Messages of one sender, and whether it is within its tokens. [`Fair::done`] is to follow.
    Of(K, Vec<T>, Share),
    /// Something waits whose sender has to wait: look again after this long.
    Later(Duration),
    /// Nothing waits.
    Nothing,
}

/// How a sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Within its tokens.
    Within,
    /// Beyond: it has what others leave.
    Beyond,
}

/// How soon to look again for a sender that is held to a rate.
const PAUSE: Duration = Duration::from_millis(10);

impl<K: Ord + Clone, T> Fair<K, T> {
    pub(crate) fn new() -> Self {
        Self { senders: BTreeMap::new(), turns: VecDeque::new(), bytes: 0 }
    }

    /// A message comes. What finds no room is given back: this one, or the newest of the sender that has most here.
    pub(crate) fn push(&mut self, now: Instant, from: &K, bytes: u64, message: T) -> Vec<T> {
        let sender = self.senders.entry(from.clone()).or_insert_with(|| Sender {
            waiting: VecDeque::new(),
            bytes: 0,
            busy: false,
            tokens: Bucket::full(now, TOKENS_PER_S, BURST),
            refusals: Bucket::full(now, REFUSED_PER_S, REFUSED_BURST),
        });
        if sender.waiting.len() >= PER_SENDER || sender.bytes + bytes > BYTES_PER_SENDER {
            return Vec::from([message]);
        }
        if sender.waiting.is_empty() && !sender.busy {
            self.turns.push_back(from.clone());
        }
        sender.waiting.push_back((bytes, message));
        sender.bytes += bytes;
        self.bytes += bytes;
        let mut over = Vec::new();
        while self.bytes > BYTES {
            let Some(most) = self.senders.values_mut().max_by_key(|s| s.bytes) else { break };
            let Some((bytes, message)) = most.waiting.pop_back() else { break };
            most.bytes -= bytes;
            self.bytes -= bytes;
            over.push(message);
        }
        over
    }

    /// The next messages to work on. Those beyond their tokens only where `spare` says that a worker is left for others.
    pub(crate) fn next(&mut self, now: Instant, spare: Spare) -> Turn<K, T> {
        let (mut within, mut beyond, mut held) = (None, None, BTreeSet::new());
        self.turns.retain(|from| self.senders.get(from).is_some_and(|s| !s.waiting.is_empty()));
        for (place, from) in self.turns.iter().enumerate() {
            let Some(sender) = self.senders.get_mut(from) else { continue };
            if !sender.refusals.has_some(now) {
                held.insert(place);
            } else if sender.tokens.has_some(now) {
                within = Some(place);
                break;
            } else if beyond.is_none() {
                beyond = Some(place);
            }
        }
        let (place, share) = match (within, beyond) {
            (Some(place), _) => (place, Share::Within),
            (None, Some(place)) if spare == Spare::Yes => (place, Share::Beyond),
            (None, Some(_)) => return Turn::Nothing,
            (None, None) if held.is_empty() => return Turn::Nothing,
            (None, None) => return Turn::Later(PAUSE),
        };
        let Some(from) = self.turns.remove(place) else { return Turn::Nothing };
        let messages = self.take(&from);
        Turn::Of(from, messages, share)
    }

    fn take(&mut self, from: &K) -> Vec<T> {
        let Some(sender) = self.senders.get_mut(from) else { return Vec::new() };
        let (mut taken, mut sum) = (Vec::new(), 0);
        while taken.len() < AT_A_TIME
            && sum < BYTES_AT_A_TIME
            && let Some((bytes, message)) = sender.waiting.pop_front()
        {
            taken.push(message);
            sum += bytes;
            sender.tokens.left -= 1.0 + (bytes / TOKEN_BYTES) as f64;
        }
        sender.bytes -= sum;
        self.bytes -= sum;
        sender.busy = true;
        taken
    }

    /// What was taken is worked on, and so many of its envelopes were refused. The sender's turn comes again.
    pub(crate) fn done(&mut self, now: Instant, from: &K, refused: usize) {
        let Some(sender) = self.senders.get_mut(from) else { return };
        sender.busy = false;
        sender.refusals.left -= refused as f64;
        if !sender.waiting.is_empty() {
            self.turns.push_back(from.clone());
        } else if sender.tokens.is_full(now) && sender.refusals.is_full(now) {
            // Nothing is remembered of who has been quiet: anybody may write under any number of names.
            self.senders.remove(from);
        }
    }

    /// Forgets senders who have been quiet.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.senders.retain(|_, s| {
            s.busy || !s.waiting.is_empty() || !s.tokens.is_full(now) || !s.refusals.is_full(now)
        });
    }
}

/// Whether a worker is left for whoever is within its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spare {
    /// One is.
    Yes,
    /// This would be the last one.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_core::ids::AgencyId;

    fn id(name: &str) -> AgencyId {
        AgencyId::parse(name).expect("an id")
    }

    fn of(turn: Turn<AgencyId, u32>) -> (AgencyId, Vec<u32>, Share) {
        match turn {
            Turn::Of(from, messages, share) => (from, messages, share),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_who_floods_waits_for_one_who_does_not() {
        let (now, mut fair) = (Instant::now(), Fair::new());
        let (flood, quiet) = (id("flood"), id("quiet"));
        for n in 0..300 {
            assert!(fair.push(now, &flood, 20 << 10, n).is_empty());
        }
        // Its burst of 2,048 tokens is used up after 187 messages of 11 tokens.
        let mut taken = 0;
        loop {
            let (from, messages, share) = of(fair.next(now, Spare::Yes));
            taken += messages.len();
            fair.done(now, &from, 0);
            if share == Share::Beyond {
                break;
            }
        }
        assert!((180..=200).contains(&taken), "{taken}");
        fair.push(now, &quiet, 500, 1_000);
        assert_eq!(of(fair.next(now, Spare::Yes)), (quiet.clone(), vec![1_000], Share::Within));
        assert_eq!(fair.next(now, Spare::No), Turn::Nothing, "the last worker is kept for those within");
        let (from, _, share) = of(fair.next(now, Spare::Yes));
        assert_eq!((from, share), (flood.clone(), Share::Beyond), "what nobody needs, it has");
        assert_eq!(fair.next(now, Spare::Yes), Turn::Nothing, "one batch of a sender at a time");
        fair.done(now, &flood, 0);
        let later = now + Duration::from_secs(5);
        assert_eq!(of(fair.next(later, Spare::No)).2, Share::Within, "tokens come back with time");
    }

    #[test]
    fn messages_of_one_sender_stay_in_order_and_senders_take_turns() {
        let (now, mut fair) = (Instant::now(), Fair::new());
        for n in 0..20 {
            fair.push(now, &id("a"), 100, n);
        }
        fair.push(now, &id("b"), 100, 99);
        let (a, first, _) = of(fair.next(now, Spare::Yes));
        assert_eq!((a, first), (id("a"), (0..8).collect()));
        assert_eq!(of(fair.next(now, Spare::Yes)).1, [99]);
        fair.done(now, &id("a"), 0);
        assert_eq!(of(fair.next(now, Spare::Yes)).1, (8..16).collect::<Vec<_>>());
    }

    #[test]
    fn who_is_refused_is_held_to_a_rate() {
        let (now, mut fair) = (Instant::now(), Fair::new());
        let bad = id("bad");
        (0..10).for_each(|n| drop(fair.push(now, &bad, 100_000, n)));
        let (from, _, _) = of(fair.next(now, Spare::Yes));
        fair.done(now, &from, 300);
        assert_eq!(fair.next(now, Spare::Yes), Turn::Later(PAUSE));
        fair.push(now, &id("good"), 100, 50);
        assert_eq!(of(fair.next(now, Spare::Yes)).1, [50], "the others do not wait for it");
        let later = now + Duration::from_secs(1);
        assert_eq!(of(fair.next(later, Spare::Yes)).0, bad);
    }

    #[test]
    fn what_waits_is_bounded_for_each_and_for_all() {
        let (now, mut fair) = (Instant::now(), Fair::new());
        let over = (0..2_000).filter(|n| !fair.push(now, &id("many"), 10, *n).is_empty()).count();
        assert_eq!(over, 2_000 - PER_SENDER);
        let mut fair = Fair::new();
        let names: Vec<AgencyId> = (0..8).map(|n| id(&format!("s{n}"))).collect();
        let mut given_back = 0;
        for n in 0..40 {
            for name in &names {
                given_back += fair.push(now, name, 700 << 10, n).len();
            }
        }
        assert!(fair.bytes <= BYTES && given_back > 0);
        let least = fair.senders.values().map(|s| s.bytes).min();
        assert!(least > Some(BYTES / 8 - (1 << 20)), "each keeps its part: {least:?}");
        let later = now + Duration::from_secs(3_600);
        fair.forget(later);
        assert_eq!(fair.senders.len(), 8, "who has something waiting is not forgotten");
    }
}
