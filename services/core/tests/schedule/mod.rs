//! Schedules: what may happen, in any order, and a run that makes it happen and checks everything after each event.

use crate::world::network::Mailbox;
use crate::world::people::{act, dossier, offer};
use crate::world::{Fault, World, id};
use lienthong_core::custody::command::Act;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, TrackId};
use lienthong_core::node::Answer;
use lienthong_core::reason::Reason;
use proptest::prelude::*;

/// The agencies.
pub(crate) const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Dossiers of one run: few, so that they meet often.
const TRACKS: usize = 3;

/// One thing that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Submit(usize),
    /// The custodian offers to an agency.
    Offer(usize, usize),
    /// The agency that has the track in its inbox decides.
    Accept(usize),
    Refuse(usize),
    Recall(usize),
    /// Whoever holds the track works on it.
    Work(usize, &'static str),
    /// Anybody asks for anything, mostly without the right.
    Try(usize, usize, &'static str),
    Deliver(usize),
    /// A letter of any age comes again, and once more at once.
    Repeat(usize),
    Drop(usize),
    Pass(u64),
    /// Timers fire although nothing is due.
    Fire(usize),
    Crash(usize),
    Stall(usize),
    /// The oldest batch of a slow disk becomes durable.
    Commit(usize),
    CatchUp(usize),
    /// A quiet moment: disks catch up and everything on its way is delivered.
    Settle,
    Mailbox(usize, Mailbox),
    Clock(usize, i64),
}

impl Event {
    /// Whether agency number `n` takes part by this event.
    pub(crate) fn names(&self, n: usize) -> bool {
        match self {
            Event::Submit(who) | Event::Offer(_, who) => *who == n,
            // An attempt may offer to the next one.
            Event::Try(who, _, _) => *who == n || who + 1 == n,
            _ => false,
        }
    }
}

/// Any event, the usual ones more often.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let (n, any) = (0..4_usize, any::<prop::sample::Index>());
    let number = any.prop_map(|i| i.index(1 << 20));
    let verbs = ["accepts", "refuses", "recalls", "notes", "completes", "returns", "offers"];
    let mailbox = prop::sample::select(vec![Mailbox::Open, Mailbox::Open, Mailbox::Full, Mailbox::Missing]);
    prop_oneof![
        2 => n.clone().prop_map(Event::Submit),
        8 => (0..TRACKS, n.clone()).prop_map(|(t, to)| Event::Offer(t, to)),
        8 => (0..TRACKS).prop_map(Event::Accept),
        3 => (0..TRACKS).prop_map(Event::Refuse),
        4 => (0..TRACKS).prop_map(Event::Recall),
        4 => (0..TRACKS, prop::sample::select(vec!["notes", "notes", "notes", "completes", "returns"]))
            .prop_map(|(t, verb)| Event::Work(t, verb)),
        4 => (n.clone(), 0..TRACKS, prop::sample::select(verbs.to_vec()))
            .prop_map(|(who, t, verb)| Event::Try(who, t, verb)),
        30 => number.clone().prop_map(Event::Deliver),
        8 => number.clone().prop_map(Event::Repeat),
        4 => number.clone().prop_map(Event::Drop),
        4 => (1..90_000_u64).prop_map(Event::Pass),
        3 => n.clone().prop_map(Event::Fire),
        2 => n.clone().prop_map(Event::Crash),
        3 => n.clone().prop_map(Event::Stall),
        3 => n.clone().prop_map(Event::Commit),
        3 => n.clone().prop_map(Event::CatchUp),
        5 => Just(Event::Settle),
        1 => (n.clone(), mailbox).prop_map(|(who, how)| Event::Mailbox(who, how)),
        1 => (n, -63_072_000_000..63_072_000_000_i64).prop_map(|(who, ms)| Event::Clock(who, ms)),
    ]
}

/// A world and the dossiers of the run, in order of intake.
pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) tracks: Vec<TrackId>,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self { world: World::new(&NAMES), tracks: Vec::new() }
    }

    fn track(&self, number: usize) -> Option<TrackId> {
        self.tracks.get(number).copied()
    }

    fn in_phase(&self, track: TrackId, right: impl Fn(Phase) -> bool) -> Option<AgencyId> {
        let known = |who: &&AgencyId| {
            let up = self.world.at(who).node.is_some();
            up && self.world.state(who).track(&track).is_some_and(|t| right(t.phase))
        };
        self.world.places.keys().find(known).cloned()
    }

    pub(crate) fn happen(&mut self, event: &Event) -> Result<(), Fault> {
        let who = |n: usize| id(NAMES[n % NAMES.len()]);
        match event {
            Event::Submit(n) if self.tracks.len() < TRACKS => {
                let content = (*n > 0).then_some("hồ sơ");
                if let Ok(Answer::Done { track, .. }) = self.world.ask(&who(*n), dossier(content, None))? {
                    self.tracks.push(track);
                }
                Ok(())
            }
            Event::Submit(_) => Ok(()),
            Event::Offer(t, to) => {
                self.by(*t, |p| p == Phase::Held, |run, track, _| Some(run.offer_to(track, *to)))
            }
            Event::Accept(t) => self.by_receiver(*t, "accepts"),
            Event::Refuse(t) => self.by_receiver(*t, "refuses"),
            Event::Recall(t) => {
                self.by(*t, |p| matches!(p, Phase::Offered(_)), |_, track, _| act("recalls", track, track))
            }
            Event::Work(t, verb) => self.by(*t, |p| p == Phase::Held, |_, track, _| act(verb, track, track)),
            Event::Try(n, t, verb) => {
                let (Some(track), me) = (self.track(*t), who(*n)) else { return Ok(()) };
                let tid = self.world.transfer_to(track, &me).unwrap_or(track);
                let act = act(verb, track, tid).unwrap_or_else(|| self.offer_to(track, n + 1));
                self.world.ask(&me, act).map(|_| ())
            }
            Event::Deliver(n) if !self.world.pending.is_empty() => {
                let number = self.world.pending[n % self.world.pending.len()];
                self.deliver(number)
            }
            Event::Repeat(n) if !self.world.letters.is_empty() => {
                let number = n % self.world.letters.len();
                self.deliver(number)?;
                if self.world.letters[number].forged { Ok(()) } else { self.nothing_new(number) }
            }
            Event::Drop(n) if !self.world.pending.is_empty() => {
                let at = n % self.world.pending.len();
                self.world.pending.remove(at);
                Ok(())
            }
            Event::Deliver(_) | Event::Repeat(_) | Event::Drop(_) => Ok(()),
            Event::Pass(ms) => self.world.pass(*ms),
            Event::Fire(n) => self.world.fire_at(&who(*n)),
            Event::Crash(n) => self.world.crash(self.world.at(&who(*n)).process),
            Event::Stall(n) => {
                self.world.at_mut(&who(*n)).stalled = true;
                Ok(())
            }
            Event::Commit(n) if self.world.at(&who(*n)).flights.is_empty() => Ok(()),
            Event::Commit(n) => self.world.commit(self.world.at(&who(*n)).process),
            Event::CatchUp(n) => self.world.catch_up(&who(*n)),
            Event::Settle => {
                NAMES.iter().try_for_each(|name| self.world.catch_up(&id(name)))?;
                self.world.deliver_all()
            }
            Event::Mailbox(n, how) => {
                self.world.at_mut(&who(*n)).mailbox = *how;
                Ok(())
            }
            Event::Clock(n, ms) => {
                self.world.at_mut(&who(*n)).clock_ms = *ms;
                Ok(())
            }
        }
    }

    fn offer_to(&self, track: TrackId, n: usize) -> Act {
        offer(track, id(NAMES[n % NAMES.len()]))
    }

    fn by_receiver(&mut self, t: usize, verb: &'static str) -> Result<(), Fault> {
        let inbox = |p| matches!(p, Phase::Inbox(_));
        self.by(t, inbox, |_, track, phase| match phase {
            Phase::Inbox(tid) => act(verb, track, tid),
            _ => None,
        })
    }

    /// The agency where the track is in this phase asks something.
    fn by(
        &mut self,
        t: usize,
        right: impl Fn(Phase) -> bool,
        ask: impl Fn(&Self, TrackId, Phase) -> Option<Act>,
    ) -> Result<(), Fault> {
        let Some(track) = self.track(t) else { return Ok(()) };
        let Some(me) = self.in_phase(track, right) else { return Ok(()) };
        let Some(phase) = self.world.state(&me).track(&track).map(|t| t.phase) else { return Ok(()) };
        let Some(act) = ask(self, track, phase) else { return Ok(()) };
        self.world.ask(&me, act).map(|_| ())
    }

    /// No honest letter is ever rejected, in whatever order it comes.
    pub(crate) fn deliver(&mut self, number: usize) -> Result<(), Fault> {
        let (label, forged) = (self.world.label(number), self.world.letters[number].forged);
        match self.world.deliver(number)? {
            Err(Reason::MakerRetired) => Ok(()),
            Err(reason) if !forged => Err(format!("{label} was rejected: {reason:?}")),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// I8: the second application of a letter writes nothing.
    fn nothing_new(&mut self, number: usize) -> Result<(), Fault> {
        let to = self.world.letters[number].to.clone();
        if self.world.at(&to).node.is_none() {
            return Ok(());
        }
        let before = self.world.state(&to).clone();
        self.deliver(number)?;
        let mut after = self.world.state(&to).clone();
        after.durable = before.durable; // an earlier batch may have become durable meanwhile
        if after == before { Ok(()) } else { Err("I8: the second application wrote something".into()) }
    }

    /// A crash before the intake was durable takes the dossier with it: nobody was told of it.
    fn forget_lost(&mut self) {
        let known = self.world.tracks();
        self.tracks.retain(|track| known.contains(track));
    }

    pub(crate) fn play(&mut self, events: &[Event]) -> Result<(), Fault> {
        for (number, event) in events.iter().enumerate() {
            let came = self.happen(event).and_then(|()| self.world.check());
            came.map_err(|fault| format!("after event {number}, {event:?}: {fault}"))?;
            self.forget_lost();
            if let Event::Crash(_) | Event::CatchUp(_) = event {
                NAMES.iter().try_for_each(|name| self.world.same_after_recovery(&id(name)))?;
            }
        }
        Ok(())
    }

    /// Faults stop; then every inbox is decided, until nothing waits for anybody.
    pub(crate) fn rest(&mut self) -> Result<(), Fault> {
        self.world.heal()?;
        for n in 0..self.tracks.len() {
            self.by_receiver(n, "accepts")?;
            self.world.heal()?;
        }
        let up = |id: &&AgencyId| self.world.at(id).node.is_some();
        let mut up = self.world.places.keys().filter(up);
        let waits = up.find(|id| {
            let gone = |to: &AgencyId| self.world.at(to).buried.is_some();
            self.world.state(id).outbox.rows().any(|((_, to), _)| !gone(to))
        });
        waits.map_or(Ok(()), |id| Err(format!("L1: the outbox of {id} is not empty")))
    }
}
