//! Messages at the courier and out of it: published, delivered, verified, taken, acknowledged.

use crate::mutant::Mutant;
use crate::nats::{Again, Message, Taken};
use crate::place::Ack;
use crate::queue::Event;
use crate::violation::{Sound, Violation, holds};
use crate::world::World;
use lienthong_core::custody::arrival::Arrival;
use lienthong_core::delivery::courier::Trouble;
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Body, Statement};
use lienthong_wire::envelope::{open_envelope, open_pack};
use std::sync::Arc;

/// Messages taken from a mailbox at one go.
const CHUNK: usize = 4;

impl World {
    /// A message reaches the courier, which takes it or says why not.
    pub(crate) fn publish(&mut self, message: Message) -> Sound {
        let (from, to) = (message.from, message.to);
        match self.nats.publish(self.now, message) {
            Ok(()) => self.look_soon(to),
            Err(trouble) => {
                self.tally.fault(match trouble {
                    Trouble::NoMailbox => "no mailbox",
                    Trouble::MailboxFull => "mailbox full",
                    Trouble::Unreachable => "unreachable",
                });
                let at = self.now + self.net.delay(self.now, from);
                self.queue.push(at, Event::Troubled(from, to, trouble));
            }
        }
        holds(self.nats.is_bounded(), "I15", || "a mailbox is above its cap")
    }

    /// A node hears that the courier did not take something.
    pub(crate) fn troubled(&mut self, n: usize, to: usize, trouble: Trouble) -> Sound {
        if self.net.comes_in_at(self.now, n) > self.now || self.is_paused(n) {
            return Ok(());
        }
        let peer = self.places[to].id.clone();
        let place = &mut self.places[n];
        let now = place.now(self.now);
        let Some(node) = place.node.as_mut() else { return Ok(()) };
        let came = node.step(now, Input::Trouble(peer, trouble));
        holds(came.is_ok(), "honest", || format!("{} refuses to hear of trouble", place.id))?;
        self.settle(n)
    }

    /// Sees to it that an agency looks into its mailbox when there is something.
    pub(crate) fn look_soon(&mut self, n: usize) {
        let Some(ready) = self.nats.next(n) else { return };
        let at = ready.max(self.now) + self.net.delay(self.now, n);
        if self.polls[n].is_none_or(|planned| planned > at || planned < self.now) {
            self.polls[n] = Some(at);
            self.queue.push(at, Event::Poll(n));
        }
    }

    /// An agency takes messages from its mailbox.
    pub(crate) fn poll(&mut self, n: usize) -> Sound {
        if self.polls[n] != Some(self.now) {
            return Ok(()); // another look was planned since
        }
        self.polls[n] = None;
        if self.places[n].node.is_none() {
            return Ok(()); // it looks when it starts
        }
        let open = self.net.comes_in_at(self.now, n).max(self.places[n].paused_until);
        if open > self.now {
            self.polls[n] = Some(open);
            self.queue.push(open, Event::Poll(n));
            return Ok(());
        }
        let order = self.net.reorder();
        let taken = self.nats.take(self.now, n, CHUNK, order);
        if taken.is_empty() {
            self.look_soon(n);
            return Ok(());
        }
        for one in taken {
            self.deliver(n, one)?;
        }
        self.look_soon(n);
        self.settle(n)
    }

    fn deliver(&mut self, n: usize, taken: Taken) -> Sound {
        if taken.again == Again::Repeated {
            self.tally.fault("message redelivered");
        }
        let Message { from, pack, .. } = taken.message;
        let sender = self.places[from].id.clone();
        let dishonest = |what: String| Violation { invariant: "honest", what };
        let envelopes = open_pack(pack).map_err(|r| dishonest(format!("a pack is refused: {r:?}")))?;
        let mut statements = Vec::new();
        for bytes in envelopes {
            let place = &self.places[n];
            let opened = open_envelope(&place.verifier, &sender, bytes);
            let opened =
                opened.map_err(|r| dishonest(format!("an envelope of {sender} is refused: {r:?}")))?;
            let arrival = Arrival {
                from: opened.from,
                statement: opened.statement,
                certificate: opened.certificate,
                content: opened.content,
                trace: opened.trace.map(Arc::new),
            };
            let statement = arrival.statement.clone();
            if self.arrive(n, arrival)? {
                statements.push(statement);
            }
        }
        let ack = Ack { id: taken.id, statements };
        if self.config.mutant == Mutant::AckEarly {
            self.acknowledge(n, &ack)?;
        } else {
            self.places[n].group.acks.push(ack);
        }
        Ok(())
    }

    /// No honest envelope is ever refused, in whatever order and however late it comes, unless its maker has forgotten it
    /// (I13); and taking it twice is taking it once (I8). Tells whether it was taken: who recovers lets things go.
    fn arrive(&mut self, n: usize, arrival: Arrival) -> Sound<bool> {
        let kind = arrival.statement.body.kind().name();
        let word = matches!(arrival.statement.body, Body::Recovery(_));
        let twice = self.streams.check.chance(120) && !word;
        self.trace.event(
            self.now,
            format_args!("{}: {kind} of {} {:?}", self.places[n].id, arrival.from, arrival.statement.sid()),
        );
        let place = &mut self.places[n];
        let now = place.now(self.now);
        let Some(node) = place.node.as_mut() else { return Ok(false) };
        let before = node.state().next;
        // Before its OFFER it is let go, without an ACK: its maker says it again. The OFFER may come in the same commit.
        let let_go = matches!(&arrival.statement.body, Body::Reclaim(b)
            if node.state().track(&b.track).is_some_and(|t| !t.transfers.contains_key(&b.tid)));
        let again = twice.then(|| arrival.clone());
        let from = arrival.from.clone();
        let recovered = node.state().recovering();
        let came = node.step(now, Input::Arrival(arrival));
        if came == Err(Reason::Fenced) && self.truth.forgetful.contains(&from) {
            self.tally.outcome("envelope of an earlier incarnation let go");
            return Ok(false);
        }
        if came == Err(Reason::MakerRetired) && self.is_gone(&from) {
            self.tally.outcome("envelope of a retired agency refused");
            return Ok(false);
        }
        let place = &mut self.places[n];
        let Some(node) = place.node.as_mut() else { return Ok(false) };
        holds(came.is_ok(), "honest", || format!("{} refuses a {kind} of {from}: {came:?}", place.id))?;
        let news = node.state().next != before;
        if let Some(again) = again {
            let before = node.state().clone();
            let came = node.step(now, Input::Arrival(again));
            holds(came.is_ok(), "honest", || format!("{} refuses a repeated {kind}", place.id))?;
            holds(*node.state() == before, "I8", || format!("{}: a second {kind} writes", place.id))?;
        }
        self.tally.work(if news { "arrivals with news" } else { "arrivals without news" }, 1);
        let recovers = recovered || self.places[n].state().recovering();
        if recovers && !word {
            self.tally.work("arrivals while it recovers", 1);
        }
        Ok(!recovers && !word && !let_go)
    }

    /// The courier may forget a message: its effect is durable.
    pub(crate) fn acknowledge(&mut self, n: usize, ack: &Ack) -> Sound {
        for statement in &ack.statements {
            let kind = statement.body.kind().name();
            holds(self.is_effective(n, statement), "I7", || {
                format!("{} acknowledges a {kind} whose effect is not on its disk", self.name(n))
            })?;
        }
        if self.net.loses_ack() || !self.net.goes_out(self.now, n) {
            self.tally.fault("acknowledgement to the courier lost");
        } else {
            self.nats.ack(n, ack.id);
        }
        Ok(())
    }

    fn is_effective(&self, n: usize, statement: &Statement) -> bool {
        let place = &self.places[n];
        let me = &place.id;
        let durable = place.ledger.len() as u64;
        match &statement.body {
            Body::Cancel(b) => self.truth.offers.get(&b.tid).is_some_and(|h| h.decision.is_some()),
            Body::Received(items) => items.iter().all(|item| {
                let track = place.state().transfers.get(&item.tid).and_then(|id| place.state().track(id));
                let receipt = track.and_then(|t| t.transfers.get(&item.tid)).and_then(|t| t.receipt);
                // The fence of its maker makes it void at once.
                let void = self.truth.forgetful.contains(&statement.claim.agency);
                receipt.map_or(void, |index| index.0 < durable)
            }),
            Body::Ack(items) => {
                let waits = |sid| place.state().outbox.awaiting_ack(sid, &statement.claim.agency).is_some();
                !items.iter().any(|item| waits(&item.sid))
            }
            Body::Intake(_)
            | Body::Note(_)
            | Body::Offer(_)
            | Body::Accept(_)
            | Body::Refuse(_)
            | Body::Reclaim(_)
            | Body::Completed(_)
            | Body::Returned(_)
            | Body::Succeed(_)
            | Body::Checkpoint { .. } => self.truth.has(me, &statement.sid()),
            Body::Recovery(_) | Body::Retire(_) => true,
        }
    }
}
