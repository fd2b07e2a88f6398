//! What the services share: the way into the loop, the records, and who is asked for.

use super::parse::{Acting, DossierRef, Parsed};
use super::refusal::Refusal;
use super::shape;
use crate::engine::news::Hear;
use crate::engine::queuer::Applied;
use crate::engine::{Done, Handle, Hosts, Level, Records};
use lienthong_core::custody::command::{Act, Command};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Tid, TrackId};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::record::{CommandRef, TraceContext};
use lienthong_proto::v1;
use lienthong_runtime::trace;
use lienthong_wire::directory::DirectoryFile;
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

/// Shared by all calls.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) handle: Handle,
    pub(crate) records: Records,
    pub(crate) applied: Applied,
    /// What is news, of each agency here.
    pub(crate) latest: Arc<Hear>,
    pub(crate) directory: Arc<DirectoryFile>,
    pub(crate) directory_toml: Arc<str>,
    pub(crate) watchers: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
    pub(crate) trace: CallTrace,
}

/// The trace that acts are part of.
#[derive(Clone, Debug, Default)]
pub(crate) enum CallTrace {
    /// That of the span around them.
    #[default]
    Around,
    /// One for all: they come over one call.
    Of(Option<Arc<TraceContext>>),
}

impl Desk {
    /// Whether the agency exists at all; whether it is hosted here the loop says.
    pub(crate) fn known(&self, agency: AgencyId, field: &'static str) -> Parsed<AgencyId> {
        match self.directory.agency(&agency) {
            Some(_) => Ok(agency),
            None => Err(Refusal::field(Reason::UnknownAgency, field)),
        }
    }

    /// Waits until the queues show everything that is durable now.
    pub(crate) async fn queues_level(&self) -> Parsed<()> {
        if self.applied.clone().caught_up().await {
            return Ok(());
        }
        if self.applied.are_behind() {
            return Err(Reason::StorageFull.into());
        }
        let ending = self.stop.is_cancelled();
        Err(if ending { Reason::ShuttingDown } else { Reason::StorageFailed }.into())
    }

    /// Reads one agency's state.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        agency: AgencyId,
        look: impl FnOnce(&State) -> Result<T, Reason> + Send + 'static,
    ) -> Parsed<T> {
        let seen = self.look_at_hosts(move |hosts| match hosts.get(&agency) {
            Some(host) => look(host.node.state()),
            None => Err(Reason::AgencyNotHosted),
        });
        Ok(seen.await??)
    }

    /// Reads all agencies' states.
    pub(crate) async fn look_at_hosts<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Hosts) -> T + Send + 'static,
    ) -> Parsed<T> {
        Ok(self.handle.look(look).await?)
    }

    /// The track a reference names at an agency.
    pub(crate) async fn track(&self, agency: &AgencyId, dossier: DossierRef) -> Parsed<TrackId> {
        match dossier {
            DossierRef::Id(id) => Ok(id),
            DossierRef::Code(code) => self.look(agency.clone(), move |state| by_code(state, &code)).await,
        }
    }

    /// The track a changing call is about. A repeated call finds the track of its first time by its key, whatever else
    /// has the same code by now.
    pub(crate) async fn track_of(
        &self,
        agency: &AgencyId,
        dossier: DossierRef,
        call: &CommandRef,
    ) -> Parsed<TrackId> {
        let code = match dossier {
            DossierRef::Id(id) => return Ok(id),
            DossierRef::Code(code) => code,
        };
        let key = call.key.clone();
        let track = move |state: &State| match state.command(&key) {
            Some(done) if done.track != Digest::ZERO => Ok(done.track),
            _ => by_code(state, &code),
        };
        self.look(agency.clone(), track).await
    }

    /// The transfer an officer decides on: the open offer of the dossier, or the one that is named, which must be of
    /// this dossier. A repeated call finds its answer by its key, whatever has become of the offer.
    pub(crate) async fn transfer(
        &self,
        agency: &AgencyId,
        dossier: DossierRef,
        named: &str,
        call: &CommandRef,
    ) -> Parsed<Tid> {
        let named = match named {
            "" => None,
            named => Some(super::parse::digest(named, "hand_off_id")?),
        };
        let key = call.key.clone();
        let found = self.look(agency.clone(), move |state| {
            if state.commands.contains_key(&key) {
                return Ok(Some(named.unwrap_or(Digest::ZERO)));
            }
            let id = match dossier {
                DossierRef::Id(id) => id,
                DossierRef::Code(code) => by_code(state, &code)?,
            };
            let Some(tid) = named else { return open_offer(state, &id).map(Some) };
            let of = state.transfers.get(&tid).ok_or(Reason::DossierNotFound)?;
            Ok((*of == id).then_some(tid))
        });
        found.await?.ok_or(Refusal::field(Reason::BadId, "hand_off_id"))
    }

    /// Links the current span to the trace that the OFFER came with, which may be days old.
    pub(crate) async fn link_to_offer(&self, agency: &AgencyId, tid: Tid) {
        if !trace::is_exported() {
            return;
        }
        let offer = move |state: &State| {
            let track = state.transfers.get(&tid).and_then(|id| state.track(id));
            track.and_then(|t| t.transfers.get(&tid)).map(|t| t.offer).ok_or(Reason::DossierNotFound)
        };
        let Ok(index) = self.look(agency.clone(), offer).await else { return };
        let (records, agency) = (self.records.clone(), agency.clone());
        let read = tokio::task::spawn_blocking(move || records.statement(&agency, index)).await;
        if let Ok(Ok(record)) = read
            && let Some(kept) = &record.trace
            && let Some(offered) = lienthong_runtime::TraceContext::parse(&kept.traceparent, &kept.tracestate)
        {
            trace::link(&tracing::Span::current(), &offered);
        }
    }

    /// The same desk for the acts of one call, which wait for their turn.
    pub(crate) fn in_turn(&self) -> Self {
        Self { handle: self.handle.in_turn(), trace: CallTrace::Of(trace_around()), ..self.clone() }
    }

    fn input(&self, acting: Acting, call: CommandRef, act: Act) -> (AgencyId, Input) {
        let trace = match &self.trace {
            CallTrace::Around => trace_around(),
            CallTrace::Of(trace) => trace.clone(),
        };
        (acting.agency, Input::Command(Command { call, officer: acting.officer, trace, act }))
    }

    /// Carries out a command; the answer is durable.
    pub(crate) async fn command(&self, acting: Acting, call: CommandRef, act: Act) -> Parsed<v1::Done> {
        let (agency, input) = self.input(acting, call, act);
        Ok(done(&self.handle.input(agency, input).await?))
    }

    /// The same, and when the transfer reaches a level.
    pub(crate) async fn command_until(
        &self,
        acting: Acting,
        call: CommandRef,
        act: Act,
        level: Level,
    ) -> Parsed<(v1::Done, oneshot::Receiver<Level>)> {
        let (agency, input) = self.input(acting, call, act);
        let (answer, reached) = self.handle.input_until(agency, input, level).await?;
        Ok((done(&answer), reached))
    }
}

fn trace_around() -> Option<Arc<TraceContext>> {
    lienthong_runtime::TraceContext::current().map(|t| {
        Arc::new(TraceContext {
            traceparent: t.traceparent().to_owned(),
            tracestate: t.tracestate().to_owned(),
        })
    })
}

/// The offer of a dossier that this agency has to decide on.
fn open_offer(state: &State, id: &TrackId) -> Result<Tid, Reason> {
    let track = state.track(id).ok_or(Reason::DossierNotFound)?;
    match track.phase {
        Phase::Inbox(tid) => Ok(tid),
        _ => Err(track
            .last_transfer()
            .filter(|(_, t)| t.to == state.me && t.outcome.is_some())
            .map_or(Reason::NotOffered, |_| Reason::AlreadyDecided)),
    }
}

fn by_code(state: &State, code: &str) -> Result<TrackId, Reason> {
    match state.by_code(code)[..] {
        [one] => Ok(one),
        // Several agencies' dossiers with one code: the caller must name one by id.
        _ => Err(Reason::DossierNotFound),
    }
}

pub(crate) fn done(done: &Done) -> v1::Done {
    v1::Done {
        dossier_id: done.track.to_string(),
        dossier_code: done.code.clone(),
        statement_id: done.sid.to_string(),
        ledger_index: done.index.0,
        level: shape::level(done.level) as i32,
        phase: done.phase.map_or(v1::Phase::Unspecified, |(phase, closed)| shape::phase(phase, closed))
            as i32,
        repeated_call: done.repeated,
    }
}
