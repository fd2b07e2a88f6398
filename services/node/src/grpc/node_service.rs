//! `NodeService`: what waits, why, since when, and who must act. Never a citizen's data.

use super::acts;
use super::desk::Desk;
use super::parse::{self, Parsed};
use super::quarantine;
use super::refusal::Refusal;
use super::shape;
use super::texts;
use crate::engine::pressure::{Level, Pressure, Storage};
use crate::engine::{Host, Hosts};
use lienthong_core::delivery::outbox::{Awaits, Row, RowKey};
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_core::reason::Reason;
use lienthong_core::record::Record;
use lienthong_core::statement::Kind;
use lienthong_link::{Link, LinkKind, MailboxStatus};
use lienthong_proto::v1;
use lienthong_proto::v1::node_service_server::NodeService;
use lienthong_runtime::Readiness;
use lienthong_wire::verify::Verifier;
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// What an operator asks is answered from here.
#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) desk: Desk,
    pub(crate) link: Link,
    pub(crate) readiness: Readiness,
    pub(crate) node_name: Arc<str>,
    pub(crate) report: Arc<[String]>,
    pub(crate) pressure: Arc<Pressure>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) started_at_ms: u64,
}

impl Ops {
    async fn status(&self) -> Parsed<v1::GetStatusResponse> {
        let link = self.link.status();
        let mailboxes = link.mailboxes;
        let mut agencies = self.desk.look_at_hosts(move |hosts| agencies(hosts, &mailboxes)).await?;
        agencies.iter_mut().filter_map(|a| a.recovery.as_mut()).for_each(|r| self.name(&mut r.waits_for));
        Ok(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node_name: self.node_name.to_string(),
            ready: self.readiness.is_ready(),
            waiting_for: self.readiness.waiting_for().into_iter().map(str::to_owned).collect(),
            link_kind: match link.kind {
                LinkKind::Nats => "nats",
                LinkKind::Embedded => "embedded",
            }
            .to_owned(),
            link_connected: link.connected,
            link_server: link
                .server
                .map_or_else(String::new, |s| format!("{} (nats-server {})", s.address, s.version)),
            agencies,
            start_report: self.report.to_vec(),
            started_at_ms: self.started_at_ms,
            storage: Some(storage(&self.pressure.storage())),
            retired: acts::retired(self).await?,
        })
    }

    fn name(&self, peers: &mut [v1::RecoveryPeer]) {
        for peer in peers {
            let entry = AgencyId::parse(&peer.agency).and_then(|id| self.desk.directory.agency(&id));
            peer.name = entry.map_or_else(String::new, |a| a.name.clone());
        }
    }

    async fn peers(&self, r: v1::ListPeersRequest) -> Parsed<v1::ListPeersResponse> {
        let agency = self.desk.known(parse::agency(&r.agency, "agency")?, "agency")?;
        let directory = self.desk.directory.clone();
        let peers = self.desk.look_at_hosts(move |hosts| hosts.get(&agency).map(peers)).await?;
        let mut peers = peers.ok_or(Reason::AgencyNotHosted)?;
        for peer in &mut peers {
            let entry = AgencyId::parse(&peer.agency).and_then(|id| directory.agency(&id));
            peer.name = entry.map_or_else(String::new, |a| a.name.clone());
        }
        Ok(v1::ListPeersResponse { peers })
    }

    async fn outbox(&self, r: v1::ListOutboxRequest) -> Parsed<v1::ListOutboxResponse> {
        let agency = self.desk.known(parse::agency(&r.agency, "agency")?, "agency")?;
        let (size, after) = (parse::page_size(r.page_size)?, token(&r.page_token)?);
        let page = move |hosts: &Hosts| hosts.get(&agency).map(|host| outbox_page(host, after, size));
        let rows = self.desk.look_at_hosts(page).await?.ok_or(Reason::AgencyNotHosted)?;
        let next_page_token = next(rows.last().map(|r| r.ledger_index), rows.len(), size);
        Ok(v1::ListOutboxResponse { rows, next_page_token })
    }

    async fn quarantine(&self, r: v1::ListQuarantineRequest) -> Parsed<v1::ListQuarantineResponse> {
        let agency = self.desk.known(parse::agency(&r.agency, "agency")?, "agency")?;
        let size = parse::page_size(r.page_size)?;
        let after = token(&r.page_token)?;
        let at = agency.clone();
        let places =
            self.desk.look_at_hosts(move |hosts| hosts.get(&at).map(|h| quarantined(h, after, size)));
        let places = places.await?.ok_or(Reason::AgencyNotHosted)?;
        let read = super::trail::reading(&self.desk, move |records| {
            places.into_iter().map(|i| Ok((i, records.record(&agency, i)?))).collect::<Result<Vec<_>, _>>()
        });
        let envelopes: Vec<_> =
            read.await?.into_iter().filter_map(|(i, r)| shape_quarantined(i, r)).collect();
        let next_page_token = next(envelopes.last().map(|e| e.ledger_index), envelopes.len(), size);
        Ok(v1::ListQuarantineResponse { envelopes, next_page_token })
    }
}

fn storage(storage: &Storage) -> v1::StorageStatus {
    use v1::StorageLevel as L;
    let room = storage.room;
    v1::StorageStatus {
        level: match storage.level {
            Level::Ample => L::Ample,
            Level::FinishingOnly => L::FinishingOnly,
            Level::Out => L::Out,
        } as i32,
        since_ms: storage.since_ms,
        left_bytes: room.map_or(0, |r| r.left),
        used_bytes: room.map_or(0, |r| r.used),
        free_bytes: room.map_or(0, |r| r.free),
        limit_bytes: storage.limit.unwrap_or(0),
        reserve_bytes: storage.reserve,
        queues_behind: storage.queues_behind,
        snapshots_put_off: storage.snapshots_put_off,
    }
}

fn agencies(hosts: &Hosts, mailboxes: &[MailboxStatus]) -> Vec<v1::AgencyStatus> {
    hosts.iter().map(|(id, host)| agency(id, host, mailboxes.iter().find(|m| m.agency == *id))).collect()
}

fn agency(id: &AgencyId, host: &Host, mailbox: Option<&MailboxStatus>) -> v1::AgencyStatus {
    let state = host.node.state();
    let census = state.census();
    v1::AgencyStatus {
        agency: id.to_string(),
        name: host.name.clone(),
        ledger_size: state.durable.size,
        ledger_head: state.durable.hash.to_string(),
        incarnation: state.incarnation.0,
        held: census.held,
        offered: census.offered,
        inbox: census.inbox,
        closed: census.closed,
        gone: census.gone,
        followed: census.followed,
        refused: census.out,
        outbox: state.outbox.len() as u64,
        quarantined: state.quarantined.values().map(|q| q.len() as u64).sum(),
        mailbox_pending: mailbox.map_or(0, |m| m.pending),
        mailbox_repairs: mailbox.map_or(0, |m| m.repairs),
        mailbox_stalls: mailbox.map_or(0, |m| m.stalls),
        recovery: super::recovery::shape(host),
    }
}

fn peers(host: &Host) -> Vec<v1::Peer> {
    let state = host.node.state();
    let mut peers: BTreeMap<&AgencyId, v1::Peer> = BTreeMap::new();
    for ((_, to), row) in state.outbox.rows() {
        let trouble = host.node.courier().trouble(to);
        let peer = peers.entry(to).or_insert_with(|| {
            let (in_flight, held_back) = host.node.courier().load(to);
            v1::Peer {
                agency: to.to_string(),
                in_flight: in_flight as u64,
                waiting: (in_flight + held_back) as u64,
                oldest_since_ms: row.since.0,
                reason: v1::WaitReason::Decision as i32,
                must_act: to.to_string(),
                ..v1::Peer::default()
            }
        });
        peer.oldest_since_ms = peer.oldest_since_ms.min(row.since.0);
        if state.memory.acts.retires(to) {
            (peer.reason, peer.must_act) = (v1::WaitReason::Retired as i32, "operator".to_owned());
            peer.undecided += u64::from(row.kind == Kind::Offer);
            continue;
        }
        if row.awaits == Awaits::Decision {
            peer.undecided += 1;
            continue;
        }
        let reason = shape::wait_reason(row.awaits, trouble.map(|(t, _)| t));
        peer.reason = reason as i32;
        // An unreachable courier is for the operator here; everything else is for the peer's.
        if reason == v1::WaitReason::Unreachable {
            peer.must_act = "operator".to_owned();
        }
    }
    peers.into_values().collect()
}

/// Rows after a ledger index. The rows of one statement stay on one page, so that the index is the page token.
fn outbox_page(host: &Host, after: Option<u64>, size: usize) -> Vec<v1::OutboxRow> {
    let mut page: Vec<v1::OutboxRow> = Vec::new();
    for (key, row) in host.node.state().outbox.after(after.map(LedgerIndex)) {
        if page.len() >= size && page.last().is_some_and(|l| l.ledger_index != key.0.0) {
            break;
        }
        page.push(flying(host, key, row));
    }
    page
}

/// A row with the courier's news of it.
fn flying(host: &Host, key: &RowKey, row: &Row) -> v1::OutboxRow {
    let courier = host.node.courier();
    let attempts = courier.attempts(key);
    let reason = match attempts {
        _ if host.node.state().memory.acts.retires(&key.1) => v1::WaitReason::Retired,
        None if row.awaits.resends() => v1::WaitReason::Window,
        _ => shape::wait_reason(row.awaits, courier.trouble(&key.1).map(|(t, _)| t)),
    };
    shape::outbox_row(key, row, attempts.unwrap_or(0), reason)
}

fn quarantined(host: &Host, after: Option<u64>, size: usize) -> Vec<LedgerIndex> {
    let mut all: Vec<LedgerIndex> =
        host.node.state().quarantined.values().flat_map(|kept| kept.values()).copied().collect();
    all.sort_unstable();
    all.into_iter().filter(|i| after.is_none_or(|a| i.0 > a)).take(size).collect()
}

pub(super) fn shape_quarantined(index: LedgerIndex, record: Record) -> Option<v1::QuarantinedEnvelope> {
    let Record::Quarantined(q) = record else { return None };
    Some(v1::QuarantinedEnvelope {
        ledger_index: index.0,
        from: q.from.to_string(),
        reason: q.reason.number(),
        reason_name: texts::name(q.reason),
        sha256: q.sha256.to_string(),
        length: q.length,
        at_ms: q.at.0,
    })
}

fn token(text: &str) -> Parsed<Option<u64>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Refusal::field(Reason::BadCursor, "page_token"))
}

fn next(last: Option<u64>, len: usize, size: usize) -> String {
    last.filter(|_| len >= size).map_or_else(String::new, |last| last.to_string())
}

fn answer<T>(parsed: Parsed<T>) -> Result<Response<T>, Status> {
    parsed.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl NodeService for Ops {
    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        answer(self.status().await)
    }

    async fn list_peers(
        &self,
        r: Request<v1::ListPeersRequest>,
    ) -> Result<Response<v1::ListPeersResponse>, Status> {
        answer(self.peers(r.into_inner()).await)
    }

    async fn list_outbox(
        &self,
        r: Request<v1::ListOutboxRequest>,
    ) -> Result<Response<v1::ListOutboxResponse>, Status> {
        answer(self.outbox(r.into_inner()).await)
    }

    async fn list_quarantine(
        &self,
        r: Request<v1::ListQuarantineRequest>,
    ) -> Result<Response<v1::ListQuarantineResponse>, Status> {
        answer(self.quarantine(r.into_inner()).await)
    }

    async fn get_quarantined(
        &self,
        r: Request<v1::GetQuarantinedRequest>,
    ) -> Result<Response<v1::GetQuarantinedResponse>, Status> {
        answer(quarantine::get(self, r.into_inner()).await)
    }

    async fn release_quarantined(
        &self,
        r: Request<v1::ReleaseQuarantinedRequest>,
    ) -> Result<Response<v1::ReleaseQuarantinedResponse>, Status> {
        answer(quarantine::release(self, r.into_inner()).await)
    }

    async fn discard_quarantined(
        &self,
        r: Request<v1::DiscardQuarantinedRequest>,
    ) -> Result<Response<v1::DiscardQuarantinedResponse>, Status> {
        answer(quarantine::discard(self, r.into_inner()).await)
    }

    async fn apply_act(
        &self,
        r: Request<v1::ApplyActRequest>,
    ) -> Result<Response<v1::ApplyActResponse>, Status> {
        answer(acts::apply(self, r.into_inner()).await)
    }
}
