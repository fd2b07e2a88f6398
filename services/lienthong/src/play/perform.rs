//! Plays a play: line after line, each act when its agency can see what it needs.

use std::collections::BTreeMap;

use anyhow::Context;
use lienthong_core::reason::Reason;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::{AckLevel, Dossier, Phase};
use tonic::transport::Channel;

use super::wait::{self, Failure, until};
use super::{Act, Deed, Expectation, Play, Progress, Race, State, request};
use crate::client::Client;
use crate::failure::Refusal;
use crate::names::Names;

/// What a performance left behind.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Acts done.
    pub acts: usize,
    /// Dossiers in the order they were taken in.
    pub dossiers: Vec<Played>,
    /// Expectations that did not come true: sentences.
    pub failures: Vec<String>,
}

/// One dossier of the play.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub id: String,
    pub code: String,
    /// An agency that holds its whole trail: the custodian in the end.
    pub custodian: String,
    /// Times it was offered.
    pub hops: u32,
}

struct Stage<'a> {
    client: DossierServiceClient<Channel>,
    names: &'a Names,
    progress: &'a Progress,
    run: &'a str,
    cast: BTreeMap<String, Played>,
    order: Vec<String>,
    procedures: BTreeMap<String, String>,
}

/// Plays, then checks the expectations. `run` tells the idempotency keys of performances apart.
pub(crate) async fn run(
    client: &Client,
    play: &Play,
    names: &Names,
    progress: &Progress,
    run: &str,
) -> anyhow::Result<Summary> {
    let mut stage = Stage {
        client: client.dossiers(),
        names,
        progress,
        run,
        cast: BTreeMap::new(),
        order: Vec::new(),
        procedures: BTreeMap::new(),
    };
    let receivers = play.acts.iter().filter_map(|act| match &act.deed {
        Deed::Offer { to, .. } => Some((act.line, to)),
        _ => None,
    });
    for (line, agency) in play.acts.iter().map(|act| (act.line, &act.agency)).chain(receivers) {
        anyhow::ensure!(
            names.knows_agency(agency),
            "line {line} of the play: {agency} is not in the directory"
        );
    }
    progress.begin(play.acts.len());
    for act in &play.acts {
        stage.act(act).await.with_context(|| format!("line {} of the play", act.line))?;
    }
    let mut summary = Summary { acts: play.acts.len(), ..Summary::default() };
    for expectation in &play.expectations {
        if let Err(fault) = stage.check(expectation).await? {
            summary.failures.push(format!("line {}: {} {fault}", expectation.line, expectation.dossier));
        }
    }
    progress.end();
    summary.dossiers = stage.order.iter().filter_map(|label| stage.cast.get(label)).cloned().collect();
    Ok(summary)
}

impl Stage<'_> {
    async fn act(&mut self, act: &Act) -> anyhow::Result<()> {
        self.wait_for(act).await?;
        let key = format!("play-{}-{}", self.run, act.line);
        let id = self.cast.get(&act.dossier).map(|played| played.id.clone());
        let mut outcome = "";
        match request::call(&mut self.client, act, key, id.as_deref()).await {
            Ok(done) => match &act.deed {
                Deed::Submit { procedure, .. } => {
                    self.procedures.insert(act.dossier.clone(), procedure.clone());
                    self.order.push(act.dossier.clone());
                    let (id, code) = (done.dossier_id, done.dossier_code);
                    let played = Played { id, code, custodian: act.agency.clone(), hops: 0 };
                    self.cast.insert(act.dossier.clone(), played);
                }
                Deed::Recall { .. } => outcome = self.recalled(act).await?,
                _ => {}
            },
            Err(status) => {
                let refusal = Refusal::from(status);
                if !is_lost_race(act, &refusal) {
                    return Err(refusal.into());
                }
                outcome = " → bên nhận đã ký trước";
            }
        }
        if let (Deed::Offer { .. }, Some(played)) = (&act.deed, self.cast.get_mut(&act.dossier)) {
            played.hops += 1;
        }
        self.tell(act, outcome);
        Ok(())
    }

    /// Waits until the acting agency sees what the verb needs.
    async fn wait_for(&mut self, act: &Act) -> anyhow::Result<()> {
        let is = |dossier: &Dossier, phase: Phase| dossier.phase == phase as i32;
        let good: &dyn Fn(&Dossier) -> bool = match &act.deed {
            Deed::Submit { .. } | Deed::Recall { race: Race::AfterAccept, .. } => return Ok(()),
            Deed::Offer { .. } | Deed::Note { .. } => &|d| is(d, Phase::Held),
            Deed::Complete { .. } => &|d| is(d, Phase::Held) && !d.completed,
            Deed::Return { .. } => &|d| is(d, Phase::Held) && d.completed,
            Deed::Accept { .. } | Deed::Refuse { .. } => &|d| is(d, Phase::Inbox),
            Deed::Recall { race: Race::No, .. } => &|d| is(d, Phase::Offered),
        };
        let id = self.id(&act.dossier)?;
        match until(&mut self.client, &act.agency, &id, good).await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(refusal)) => Err((*refusal).into()),
            Err(Failure::Over(seen)) => {
                anyhow::bail!("{} {}: waited too long; {seen}", act.agency, act.dossier)
            }
        }
    }

    /// A recall is answered before the next act of its dossier.
    async fn recalled(&mut self, act: &Act) -> anyhow::Result<&'static str> {
        let id = self.id(&act.dossier)?;
        let answered = |d: &Dossier| d.phase != Phase::Offered as i32;
        match until(&mut self.client, &act.agency, &id, answered).await {
            Ok(d) if d.phase == Phase::Held as i32 => Ok(" → lấy lại được"),
            Ok(_) => Ok(" → bên nhận đã ký trước"),
            Err(Failure::Refused(refusal)) => Err((*refusal).into()),
            Err(Failure::Over(seen)) => anyhow::bail!("the recall is not answered; {seen}"),
        }
    }

    async fn check(&mut self, expected: &Expectation) -> anyhow::Result<Result<(), String>> {
        let id = self.id(&expected.dossier)?;
        let custodian = expected.custodian.clone();
        let phase = match &expected.state {
            State::Held => Phase::Held,
            State::Offered(_) => Phase::Offered,
            State::Closed => Phase::Closed,
        };
        let received = |d: &Dossier| match (&expected.state, &d.hand_off) {
            (State::Offered(to), Some(hand_off)) => {
                hand_off.to == *to && hand_off.level >= AckLevel::Received as i32
            }
            (State::Offered(_), None) => false,
            (State::Held | State::Closed, _) => true,
        };
        let good = |d: &Dossier| d.phase == phase as i32 && d.custodian == custodian && received(d);
        let mut seen = until(&mut self.client, &expected.custodian, &id, good).await;
        if let (Ok(_), State::Offered(to)) = (&seen, &expected.state) {
            let waits = |d: &Dossier| d.phase == Phase::Inbox as i32;
            seen = until(&mut self.client, to, &id, waits).await;
        }
        if let Some(played) = self.cast.get_mut(&expected.dossier) {
            played.custodian = custodian;
        }
        match seen {
            Ok(_) => Ok(Ok(())),
            Err(wait::Failure::Over(seen)) => {
                Ok(Err(format!("should be {:?} at {}; {seen}", expected.state, expected.custodian)))
            }
            Err(wait::Failure::Refused(refusal)) => Err((*refusal).into()),
        }
    }

    fn tell(&self, act: &Act, outcome: &str) {
        let code = self.cast.get(&act.dossier).map_or("", |played| played.code.as_str());
        let procedure = self.procedures.get(&act.dossier).map_or("", |code| self.names.procedure(code));
        self.progress.tell(act, self.names, code, procedure, outcome);
    }

    fn id(&self, label: &str) -> anyhow::Result<String> {
        let played = self.cast.get(label).with_context(|| format!("{label} was never taken in"))?;
        Ok(played.id.clone())
    }
}

/// A recall right after an accept may find that the giver knows of the accept already: the same outcome.
fn is_lost_race(act: &Act, refusal: &Refusal) -> bool {
    let races = matches!(act.deed, Deed::Recall { race: Race::AfterAccept, .. });
    let lost = [Reason::NotCustodian, Reason::AlreadyDecided, Reason::NotOffered];
    races && refusal.reason().is_some_and(|reason| lost.contains(&reason))
}
