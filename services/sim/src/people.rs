//! People at work: they turn to dossiers, ask agencies, and are answered when it is durable.

use crate::mutant::Mutant;
use crate::officer::{self, Manner};
use crate::place::Group;
use crate::queue::Event;
use crate::random::Concern;
use crate::violation::{Sound, holds};
use crate::workload::{self, command};
use crate::world::{Weather, World};
use lienthong_core::custody::command::{Act, Command};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::statement::Resolution;

impl World {
    /// Somebody turns to a dossier.
    pub(crate) fn visit(&mut self, dossier: usize) -> Sound {
        if self.weather == Weather::Calm {
            return Ok(());
        }
        self.dossiers[dossier].visits += 1;
        let number = self.dossiers[dossier].visits;
        let mut manner = workload::visit(self.seed, Concern::Officer, dossier, number);
        let known = self.dossiers[dossier].track;
        let closed = known.and_then(|t| self.truth.dossiers.get(&t)).is_some_and(|c| c.closed);
        let pause = officer::pause(&mut manner) * if closed { 40 } else { 1 };
        self.queue.push(self.now + pause, Event::Visit(dossier));
        let known = known.filter(|t| self.places.iter().any(|p| p.state().track(t).is_some()));
        let errand = match known {
            None => Some(workload::intake(self.seed, dossier, &self.cast)),
            Some(track) => {
                let mut stream = workload::visit(self.seed, Concern::Workload, dossier, number);
                workload::errand(&mut stream, &self.places, track)
            }
        };
        let Some((agency, act, name)) = errand else { return Ok(()) };
        // An intake is always the same call; everything else is a call of its own.
        let key = if name == "submit" { format!("d{dossier}") } else { format!("d{dossier}-visit-{number}") };
        let first = command(&key, agency, act.clone());
        let mut later = |after, command, name| {
            let at = self.now + after;
            self.queue.push(at, Event::Ask(agency, dossier, Box::new(command), name));
        };
        match officer::manner(&mut manner) {
            Manner::Once => {}
            Manner::Repeats(after) => later(after, first.clone(), "repeat under the same key"),
            Manner::Twice(after) if name != "submit" => {
                later(after, command(&format!("{key}-again"), agency, act), "repeat under another key");
            }
            Manner::Reuses => {
                let track = known.unwrap_or(lienthong_core::ids::Digest::ZERO);
                let (resolution, note) = (Resolution::Stopped, String::new());
                let other = Act::Complete { track, resolution, note };
                later(1, command(&key, agency, other), "reuse of a key for something else");
            }
            Manner::Twice(_) => {}
        }
        self.ask(agency, dossier, first, name)
    }

    /// Somebody asks an agency.
    pub(crate) fn ask(&mut self, n: usize, dossier: usize, asked: Command, name: &'static str) -> Sound {
        if self.weather == Weather::Calm || self.places[n].node.is_none() || self.is_paused(n) {
            return Ok(()); // nobody is there to answer
        }
        self.command(n, dossier, asked, name)
    }

    /// An agency's node takes a command.
    pub(crate) fn command(&mut self, n: usize, dossier: usize, asked: Command, name: &'static str) -> Sound {
        self.tally.action(name);
        let mut given = asked.clone();
        if self.config.mutant == Mutant::ForgetKeys {
            given.call.key = format!("{}@{}", given.call.key, self.commits).into();
        }
        let whole = self.streams.check.chance(60);
        let place = &mut self.places[n];
        let now = place.now(self.now);
        let Some(node) = place.node.as_mut() else { return Ok(()) };
        let (next, before) = (node.state().next, whole.then(|| node.state().clone()));
        let answer = node.step(now, Input::Command(given));
        if let Err(reason) = answer {
            let same = node.state().next == next && before.is_none_or(|b| b == *node.state());
            holds(same, "I4", || format!("{}: a {name} refused with {reason:?} changes it", place.id))?;
        }
        let told = match answer {
            Ok(Answer::Done { repeated: true, .. }) => "repeated",
            Ok(_) => "done",
            Err(reason) => refused(reason),
        };
        self.tally.outcome(told);
        if let Ok(Answer::Done { track, .. }) = answer
            && name == "submit"
        {
            self.dossiers[dossier].track = Some(track);
        }
        let number = answer.err().map_or(0, Reason::number);
        self.trace.decision(format_args!("{dossier} {name} at {n}: {number}"));
        self.trace.event(
            self.now,
            format_args!("{}: dossier {dossier}: {name} [{}]: {answer:?}", self.places[n].id, asked.call.key),
        );
        self.places[n].group.answers.push((dossier, asked, answer));
        self.settle(n)
    }

    /// An answer reaches the caller: from now on it is a promise (P1), and always the same (I19).
    pub(crate) fn answered(
        &mut self,
        n: usize,
        dossier: usize,
        command: &Command,
        answer: Result<Answer, Reason>,
    ) -> Sound {
        let Ok(Answer::Done { sid, index, .. }) = answer else { return Ok(()) };
        let id = self.places[n].id.clone();
        let key = &command.call.key;
        holds(self.truth.has(&id, &sid), "P1", || {
            format!("{id} answers {key} of dossier {dossier}, which is not on its disk")
        })?;
        let first = *self.told.entry((n, key.clone())).or_insert((sid, index));
        holds(first == (sid, index), "I19", || format!("{id} answers {key} with another effect"))
    }

    /// Whoever lost an answer in a crash asks again under the same key, mostly.
    pub(crate) fn ask_again(&mut self, n: usize, lost: Group) {
        for (dossier, command, _) in lost.answers {
            if let Some(after) = officer::asks_again(&mut self.streams.officer) {
                let at = self.now + after;
                let name = "repeat after a lost answer";
                self.queue.push(at, Event::Ask(n, dossier, Box::new(command), name));
            }
        }
    }
}

/// How a refusal is counted.
fn refused(reason: Reason) -> &'static str {
    match reason {
        Reason::AlreadyDecided => "refused: already decided",
        Reason::LockedByOffer => "refused: locked by an offer",
        Reason::NotCustodian => "refused: not the custodian",
        Reason::IdempotencyConflict => "refused: key used for something else",
        Reason::HandOffNotAllowed => "refused: hand-off not allowed",
        Reason::AlreadyRecalled => "refused: already recalled",
        Reason::Closed => "refused: closed",
        Reason::NotCompleted => "refused: not completed",
        Reason::CodeInUse => "refused: code in use",
        Reason::NotOffered => "refused: not offered",
        Reason::HandOffToSelf => "refused: hand-off to oneself",
        _ => "refused: other",
    }
}
