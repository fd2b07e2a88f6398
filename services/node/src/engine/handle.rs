//! What others hold of the loop: a bounded way in, and answers that are durable when they come.

use super::Hosts;
use super::events::{Done, Event, Level, Waiter};
use super::release::{Release, Released};
use lienthong_core::ids::AgencyId;
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

type ReleaseReply = oneshot::Sender<Result<Released, Reason>>;

/// A way into the loop.
#[derive(Clone, Debug)]
pub struct Handle {
    events: mpsc::Sender<Event>,
    stopping: CancellationToken,
    /// Turns for half of what may wait.
    turns: Arc<Semaphore>,
    takes_turns: bool,
}

impl Handle {
    pub(crate) fn new(events: mpsc::Sender<Event>, stopping: CancellationToken) -> Self {
        let turns = Arc::new(Semaphore::new(events.max_capacity().div_ceil(2)));
        Self { events, stopping, turns, takes_turns: false }
    }

    /// A way in for those who come by the thousand: each waits for a turn, and has it until it is answered. All of them
    /// together leave half of the room to whoever calls for a single act.
    pub(crate) fn in_turn(&self) -> Self {
        Self { takes_turns: true, ..self.clone() }
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // They are never closed.
        if self.takes_turns { self.turns.acquire().await.ok() } else { None }
    }

    /// Why an answer did not come: the node ends in order, or it could not write.
    fn cut_off(&self) -> Reason {
        if self.stopping.is_cancelled() { Reason::ShuttingDown } else { Reason::StorageFailed }
    }

    /// Gives an input to an agency; the answer is durable. A full queue is told at once ([`Reason::Overloaded`]):
    /// nothing was promised.
    ///
    /// # Errors
    /// The core's rejection, or one of 5xx when the node could not take it.
    pub async fn input(&self, agency: AgencyId, input: Input) -> Result<Done, Reason> {
        let (reply, answer) = oneshot::channel();
        let _turn = self.turn().await;
        self.send(Event::Input { agency, input: Box::new(input), waiter: None, reply })?;
        answer.await.map_err(|_| self.cut_off())?
    }

    /// The same, for the node's own work: it waits for its turn where a caller is told to come again.
    ///
    /// # Errors
    /// The core's rejection, or one of 5xx.
    pub(crate) async fn input_in_turn(&self, agency: AgencyId, input: Input) -> Result<Done, Reason> {
        let (reply, answer) = oneshot::channel();
        let event = Event::Input { agency, input: Box::new(input), waiter: None, reply };
        self.events.send(event).await.map_err(|_| Reason::ShuttingDown)?;
        answer.await.map_err(|_| self.cut_off())?
    }

    /// The same, and a receiver that tells when the transfer the input makes reaches `level`.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub async fn input_until(
        &self,
        agency: AgencyId,
        input: Input,
        level: Level,
    ) -> Result<(Done, oneshot::Receiver<Level>), Reason> {
        let (reply, answer) = oneshot::channel();
        let (reached, at_level) = oneshot::channel();
        let waiter = Some(Waiter { level, reached });
        let _turn = self.turn().await;
        self.send(Event::Input { agency, input: Box::new(input), waiter, reply })?;
        let done = answer.await.map_err(|_| self.cut_off())??;
        Ok((done, at_level))
    }

    /// Lets an envelope out of quarantine; the answer is durable.
    ///
    /// # Errors
    /// The core's rejection, or one of 5xx.
    pub(crate) async fn release(
        &self,
        release: impl FnOnce(ReleaseReply) -> Release,
    ) -> Result<Released, Reason> {
        let (reply, answer) = oneshot::channel();
        self.send(Event::Release(Box::new(release(reply))))?;
        answer.await.map_err(|_| self.cut_off())?
    }

    /// Reads the state. The result is given when everything it may show is durable.
    ///
    /// # Errors
    /// One of 5xx when the node could not take it.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Hosts) -> T + Send + 'static,
    ) -> Result<T, Reason> {
        let (reply, answer) = oneshot::channel();
        let _turn = self.turn().await;
        self.send(Event::Look(Box::new(move |hosts| {
            let seen = look(hosts);
            Box::new(move || drop(reply.send(seen)))
        })))?;
        answer.await.map_err(|_| self.cut_off())
    }

    /// Puts an event in when there is room. `false` when the loop has ended.
    pub(crate) async fn send_in_turn(&self, event: Event) -> bool {
        self.events.send(event).await.is_ok()
    }

    pub(crate) fn send(&self, event: Event) -> Result<(), Reason> {
        self.events.try_send(event).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Reason::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Reason::ShuttingDown,
        })
    }
}
