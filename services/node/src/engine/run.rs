//! The loop itself.

use super::admit::{self, Caps, Inboxes};
use super::complaints::Complaints;
use super::events::{Arrived, Done, Event, Level, Opened, TransferKey, Waiter};
use super::group::{Committing, GROUP_BYTES, GROUP_INPUTS, Group, Part, TURNS_FOR_MORE, Usual, Waiters};
use super::left::{LATER, Left};
use super::outgoing::Due;
use super::persist::{Job, Persisted};
use super::pressure::Pressure;
use super::queuer::{Rows, ToQueues};
use super::rows::{Changed, Numbered, number};
use super::taking::Taken;
use super::{Clock, Host, Hosts, news, recovery};
use lienthong_core::ids::{AgencyId, Digest};
use lienthong_core::node::{Answer, Dispatch, Input};
use lienthong_core::reason::Reason;
use lienthong_core::statement::Body;
use lienthong_runtime::Metrics;
use lienthong_store::Position;
use lienthong_store::attempts::Attempts;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Inputs taken before the loop looks whether a commit has become durable: a tenth of a millisecond.
const TURN: usize = 8;

/// The loop's ends of all channels.
pub(crate) struct Engine {
    pub(crate) hosts: Hosts,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) jobs: SyncSender<Job>,
    pub(crate) to_queues: ToQueues,
    pub(crate) dispatches: mpsc::Sender<Due>,
    pub(crate) durable: watch::Sender<Position>,
    pub(crate) watchers: news::Tell,
    pub(crate) snapshots: super::snapshot::Taker,
    pub(crate) commits: u64,
    pub(crate) group: Group,
    pub(crate) usual: Usual,
    pub(crate) committing: Option<Committing>,
    pub(crate) waiters: Waiters,
    pub(crate) pressure: Arc<Pressure>,
    pub(crate) caps: Caps,
    pub(crate) inboxes: Inboxes,
    pub(crate) left: Left,
    pub(crate) complaints: Complaints,
    pub(crate) attempts: Attempts,
}

/// Why the loop ended other than by being told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Fatal {
    /// The store failed; what it said is in the log of its own thread.
    #[error("the store has failed: what was not acknowledged is unknown, what was acknowledged is safe")]
    Store,
    /// The queues take nothing more.
    #[error(
        "the queues stand still: what was acknowledged is safe, and the next start fills them from the ledger"
    )]
    Queues,
    /// Attempts at an envelope cannot be counted.
    #[error("attempts at envelopes cannot be counted")]
    Attempts(#[source] std::io::Error),
    /// A statement that this agency signed in a later incarnation.
    #[error(
        "a statement that {0} signed in a later incarnation came from a peer: another copy of this agency has recovered \
         and taken over. Nothing more is done, to keep one custodian: do not start this copy again"
    )]
    RunsTwice(AgencyId),
}

impl Engine {
    /// Runs until `stop`, then lets the last commit finish.
    pub(crate) async fn run(
        mut self,
        events: mpsc::Receiver<Event>,
        arrivals: mpsc::Receiver<Arrived>,
        persisted: mpsc::Receiver<Persisted>,
        stop: CancellationToken,
    ) -> Result<(), Fatal> {
        self.until(events, arrivals, persisted, stop).await?;
        // Only an end in order is one after which attempts need not be counted.
        self.attempts.close().map_err(Fatal::Attempts)
    }

    async fn until(
        &mut self,
        mut events: mpsc::Receiver<Event>,
        mut arrivals: mpsc::Receiver<Arrived>,
        mut persisted: mpsc::Receiver<Persisted>,
        stop: CancellationToken,
    ) -> Result<(), Fatal> {
        let mut prune = tokio::time::interval(std::time::Duration::from_secs(10));
        self.commit()?;
        loop {
            let open = !self.is_full() && !stop.is_cancelled();
            let wake = self.next_timeout();
            tokio::select! {
                biased;
                done = persisted.recv() => self.on_persisted(done.ok_or(Fatal::Store)?).await?,
                event = events.recv(), if open => match event {
                    Some(event) => self.on_event(event)?,
                    None => return Ok(()),
                },
                Some(arrived) = arrivals.recv(), if open => self.on_arrived(arrived)?,
                () = tokio::time::sleep_until(wake), if open => self.on_timeout(),
                _ = prune.tick() => self.waiters.prune(),
                () = stop.cancelled(), if !stop.is_cancelled() || self.idle() => {}
            }
            if stop.is_cancelled() {
                self.group.is_awaited = true;
            } else {
                self.take_ready(&mut events, &mut arrivals, &mut persisted).await?;
                for _ in 0..TURNS_FOR_MORE {
                    if self.committing.is_some() || !self.usual.is_above(self.group.inputs) {
                        break;
                    }
                    std::thread::yield_now();
                    tokio::task::yield_now().await;
                    self.take_ready(&mut events, &mut arrivals, &mut persisted).await?;
                }
            }
            self.commit()?;
            if stop.is_cancelled() && self.idle() {
                return Ok(());
            }
        }
    }

    fn idle(&self) -> bool {
        self.committing.is_none() && self.group.is_empty()
    }

    /// Whatever else is ready goes into the same group; what has become durable meanwhile is told without waiting for it.
    async fn take_ready(
        &mut self,
        events: &mut mpsc::Receiver<Event>,
        arrivals: &mut mpsc::Receiver<Arrived>,
        persisted: &mut mpsc::Receiver<Persisted>,
    ) -> Result<(), Fatal> {
        loop {
            let before = self.group.inputs;
            if !self.is_full()
                && let Ok(event) = events.try_recv()
            {
                self.on_event(event)?;
            }
            if !self.is_full()
                && let Ok(arrived) = arrivals.try_recv()
            {
                self.on_arrived(arrived)?;
            }
            if self.group.inputs == before {
                return Ok(());
            }
            if self.committing.is_some() && before / TURN < self.group.inputs / TURN {
                // The disk's thread may have been woken on this processor, and wait for it.
                std::thread::yield_now();
                if let Ok(done) = persisted.try_recv() {
                    self.on_persisted(done).await?;
                    // Back to who may have to end it: what comes without a pause is not taken in for ever.
                    return Ok(());
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        let bytes: usize = self.hosts.values().map(|h| h.node.pending_bytes()).sum();
        bytes >= GROUP_BYTES || self.group.inputs >= GROUP_INPUTS
    }

    fn next_timeout(&self) -> tokio::time::Instant {
        let next = self.hosts.values().filter_map(|h| h.node.poll_timeout()).min();
        let far = tokio::time::Instant::now() + std::time::Duration::from_secs(3_600);
        let next = next.map_or(far, |at| self.clock.at(at));
        // While a commit is on its way its end is what a group waits for.
        let open_until = self.group.open_until().filter(|_| self.committing.is_none());
        open_until.map_or(next, |until| until.min(next))
    }

    /// Whether what is decided may wait for more.
    fn stays_open(&self) -> bool {
        self.group.open_until().is_some_and(|until| tokio::time::Instant::now() < until) && !self.is_full()
    }

    fn on_timeout(&mut self) {
        let now = self.clock.now();
        let due = self.hosts.values_mut().flat_map(|h| h.node.handle_timeout(now)).collect();
        self.dispatch(due);
    }

    fn on_event(&mut self, event: Event) -> Result<(), Fatal> {
        self.group.inputs += 1;
        self.group.is_awaited = true;
        match event {
            Event::Input { agency, input, waiter, reply } => self.on_input(agency, *input, waiter, reply),
            Event::Release(release) => return self.on_release(*release),
            Event::Look(look) => {
                let release = look(&self.hosts);
                self.hosts.values_mut().for_each(|host| host.node.forget_looks());
                self.group.replies.push(release);
            }
            Event::Trouble { agency, peer, trouble } => {
                if let Some(host) = self.hosts.get_mut(&agency) {
                    let _ = host.node.step(self.clock.now(), Input::Trouble(peer, trouble));
                }
            }
            Event::Through { agency, peer } => {
                if let Some(host) = self.hosts.get_mut(&agency) {
                    host.node.gets_through(self.clock.now(), &peer);
                }
            }
            Event::Reconnected => {
                let now = self.clock.now();
                self.hosts.values_mut().for_each(|host| host.node.reconnected(now));
            }
        }
        Ok(())
    }

    fn on_input(
        &mut self,
        agency: AgencyId,
        input: Input,
        waiter: Option<Waiter>,
        reply: oneshot::Sender<Result<Done, Reason>>,
    ) {
        let kind = kind_of_input(&input);
        let answer = match self.hosts.get_mut(&agency) {
            None => Err(Reason::AgencyNotHosted),
            Some(host) => admitted(&self.pressure, self.caps, host, &input).and_then(|()| {
                let answer = host.node.step(self.clock.now(), input)?;
                let state = host.node.state();
                let (id, sid, index, repeated) = match answer {
                    Answer::Done { track, sid, index, repeated } => (track, sid, index, repeated),
                    Answer::Noted(index) => (Digest::ZERO, Digest::ZERO, index, false),
                    Answer::Nothing => (Digest::ZERO, Digest::ZERO, state.next, false),
                };
                Ok(Done::about(state.track(&id), id, sid, index, repeated))
            }),
        };
        let (outcome, reason) = answer.as_ref().map_or_else(|r| ("refused", r.number()), |_| ("done", 0));
        self.metrics.command(kind, outcome, reason);
        if let (Ok(done), Some(waiter)) = (&answer, waiter) {
            if waiter.level <= done.level {
                let _ = waiter.reached.send(done.level);
            } else {
                self.waiters.add((agency, done.sid), waiter);
            }
        }
        // A refusal may rest on something that is not durable yet, so it waits like everything else.
        self.group.replies.push(Box::new(move || drop(reply.send(answer))));
    }

    fn on_arrived(&mut self, arrived: Arrived) -> Result<(), Fatal> {
        let Arrived { from, to, envelopes, ack } = arrived;
        self.group.inputs += 1;
        if !self.waiters.is_empty() || envelopes.iter().any(is_awaited) {
            self.group.is_awaited = true;
        }
        self.group.since.get_or_insert_with(tokio::time::Instant::now);
        let bytes = envelopes.iter().map(|e| e.bytes.len() as u64).sum();
        let mut leave = false;
        for opened in envelopes {
            leave |= self.take(&from, &to, opened)? == Taken::Left;
        }
        if leave {
            self.left.leave(&to, &Some(from), bytes, ack, LATER);
        } else {
            self.group.acks.push(ack);
        }
        Ok(())
    }

    /// Sends what was decided to the disk, unless an earlier commit is on its way or nobody waits and more may come. What
    /// it changes is worked out meanwhile.
    fn commit(&mut self) -> Result<(), Fatal> {
        if self.committing.is_some() || self.stays_open() {
            return Ok(());
        }
        let now = self.clock.now();
        let (mut parts, mut changes) = (Vec::new(), Vec::new());
        for (agency, host) in &mut self.hosts {
            let Some(batch) = host.node.batch(now) else { continue };
            recovery::look(agency, host, now.wall, &self.metrics);
            let (changed, first, records) = Changed::of(batch);
            changes.push((agency.clone(), changed));
            let (agency, incarnation) = (agency.clone(), host.node.state().incarnation);
            parts.push(Part { agency, incarnation, first, records });
        }
        let group = std::mem::take(&mut self.group);
        self.usual.follow(group.inputs);
        if parts.is_empty() {
            group.release();
            return Ok(());
        }
        let records = parts.iter().map(|p: &Part| p.records.len() as u64).sum();
        let frozen = self.snapshots.freeze(&self.hosts, records);
        self.jobs.send(Job { parts }).map_err(|_| Fatal::Store)?;
        // The kernel may wake the disk's thread on this processor, beside an idle one: the sync begins before what follows.
        std::thread::yield_now();
        let (mut rows, mut news, mut reached) = (Vec::new(), Vec::new(), Vec::new());
        for (agency, changed) in changes {
            let told = changed.news(self.hosts[&agency].node.state());
            let begun = self.follow(&agency, &changed, &mut reached);
            rows.extend(changed.rows(&agency, &told, &begun));
            news.push((agency, told));
        }
        self.committing = Some(Committing { group, rows, news, reached, frozen });
        Ok(())
    }

    /// Goes through the tracks that a batch touched: each is checked, lists by phase follow it, and callers who wait for a
    /// level of its transfers will be told. Those that began in it.
    fn follow(
        &mut self,
        agency: &AgencyId,
        changed: &Changed,
        reached: &mut Vec<(TransferKey, Level)>,
    ) -> Vec<Numbered> {
        let mut begun = Vec::new();
        let Some(Host { node, phases, .. }) = self.hosts.get_mut(agency) else { return begun };
        let state = node.state();
        for (id, track) in changed.touched.iter().filter_map(|id| Some((id, state.tracks.read(id)?))) {
            if let Err(broken) = state.check_track(id, &track) {
                tracing::error!(%agency, invariant = broken.invariant, what = broken.what, "an invariant is broken");
                self.metrics.invariant_broken(broken.invariant);
                debug_assert!(false, "{broken:?}");
            }
            reached.extend(track.transfers.iter().map(|(tid, t)| ((agency.clone(), *tid), Level::of(t))));
            phases.follow(id, &track);
            begun.extend(Some((number(&track), *id)).filter(|(number, _)| *number >= changed.first.0));
        }
        begun.sort_unstable();
        begun
    }

    /// A commit is durable: now it may be spoken of. The next one leaves after that, so that whoever is told can still be
    /// in it: sent before, it was not faster, for commits were smaller.
    async fn on_persisted(&mut self, persisted: Persisted) -> Result<(), Fatal> {
        self.commits += 1;
        crash_point(self.commits);
        let Some(committing) = self.committing.take() else { return Err(Fatal::Store) };
        let now = self.clock.now();
        let mut out = Vec::new();
        for agency in &persisted.agencies {
            if let Some(host) = self.hosts.get_mut(agency) {
                out.extend(host.node.advance(now, &persisted.durable));
            }
        }
        if let Some(states) = committing.frozen {
            self.snapshots.save(states, &persisted);
        }
        // An answer without records may find the ledger in a new segment; no row will follow that place.
        if persisted.records > 0 {
            self.durable.send_replace(persisted.end);
            self.metrics.commit(persisted.records, persisted.took);
        }
        // Before the rows, which may have to wait.
        for (agency, news) in committing.news {
            news::tell(&self.watchers, &agency, news);
        }
        let mut changes = committing.rows;
        changes.extend(persisted.rows);
        if !changes.is_empty() {
            let rows = Rows { changes, mark: persisted.end };
            if !self.to_queues.send(rows).await {
                return Err(Fatal::Queues);
            }
            self.metrics.queue_lag(self.to_queues.waiting());
        }
        // After the rows: the dispatcher may have to wait for the place of what it sends.
        self.dispatch(out);
        committing.reached.iter().for_each(|(key, level)| self.waiters.reached(key, *level));
        committing.group.release();
        // Under load the loop's select never gets to its timer; an agency without a batch must resend all the same.
        if self.next_timeout() <= tokio::time::Instant::now() {
            self.on_timeout();
        }
        Ok(())
    }

    fn dispatch(&self, out: Vec<Dispatch>) {
        if !out.is_empty() && self.dispatches.try_send((std::time::Instant::now(), out)).is_err() {
            tracing::debug!("the dispatcher is full: the courier will send again");
        }
    }
}

/// Whether its sender waits for an answer to it, or an officer for what it says.
fn is_awaited(opened: &Opened) -> bool {
    let is_answer = |body: &Body| matches!(body, Body::Received(_) | Body::Ack(_));
    !opened.arrival.as_ref().is_ok_and(|arrival| is_answer(&arrival.statement.body))
}

fn admitted(pressure: &Pressure, caps: Caps, host: &Host, input: &Input) -> Result<(), Reason> {
    admit::input(pressure.level(), caps, host, input)
}

fn kind_of_input(input: &Input) -> &'static str {
    use lienthong_core::custody::command::Act;
    match input {
        Input::Command(command) => match &command.act {
            Act::Submit(_) => "submit",
            Act::Offer(_) => "offer",
            Act::Accept { .. } => "accept",
            Act::Refuse { .. } => "refuse",
            Act::Recall { .. } => "recall",
            Act::Note { .. } => "note",
            Act::Complete { .. } => "complete",
            Act::Return { .. } => "return",
            Act::Attest { .. } => "attest",
        },
        Input::Arrival(_) => "arrival",
        Input::Quarantine(_) => "quarantine",
        Input::Read { .. } => "read",
        Input::Snapshot(_) => "snapshot",
        Input::Recover => "recover",
        Input::Greet => "greet",
        Input::Act(_) => "act",
        Input::Settle(_) => "settle",
        Input::Trouble(..) => "trouble",
    }
}

/// In debug builds, `LIENTHONG_KILL_AFTER_COMMIT=n` ends the process as `kill -9` would, between its n-th durable batch
/// and what that batch lets out: the crash tests go through every n.
pub(crate) fn crash_point(commits: u64) {
    if cfg!(debug_assertions)
        && let Ok(at) = std::env::var("LIENTHONG_KILL_AFTER_COMMIT")
        && at.parse() == Ok(commits)
    {
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }
}
