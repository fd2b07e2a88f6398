//! Many acts over one call: a batch of a morning, refusals in the midst of it, a node that ends, and one that is killed.

use super::{CONTENT, started};
use lienthong_proto::acts::{Act, Acts, Failure};
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Patience, ref_id};
use tokio::task::JoinSet;

/// More than a call has under way at once.
const MANY: usize = 1_500;

fn submit(desk: &Desk, key: &str) -> Act {
    Act::Submit(v1::SubmitDossierRequest {
        act: desk.act(key),
        procedure_code: "1.001193".to_owned(),
        channel: v1::Channel::Online as i32,
        content: CONTENT.as_bytes().into(),
        ..Default::default()
    })
}

fn offer(desk: &Desk, key: &str, id: &str, wait_for: v1::AckLevel) -> Act {
    Act::Offer(v1::OfferHandOffRequest {
        act: desk.act(key),
        dossier: ref_id(id),
        to: "b".to_owned(),
        kind: v1::HandOffKind::Forward as i32,
        wait_for: wait_for as i32,
        wait_ms: 60_000,
        ..Default::default()
    })
}

fn accept(desk: &Desk, key: &str, id: &str) -> Act {
    Act::Accept(v1::AcceptHandOffRequest { act: desk.act(key), dossier: ref_id(id), ..Default::default() })
}

/// Says all acts at once over one call, and gives the answers in the order of the acts.
async fn all(desk: &Desk, acts: impl IntoIterator<Item = Act>) -> Vec<Result<v1::Done, Failure>> {
    let call = std::sync::Arc::new(Acts::open(&mut desk.client.clone()).await.unwrap());
    let mut under_way = JoinSet::new();
    for (n, act) in acts.into_iter().enumerate() {
        let call = call.clone();
        under_way.spawn(async move { (n, call.perform(act).await) });
    }
    let mut answers = under_way.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn ids(answers: Vec<Result<v1::Done, Failure>>) -> Vec<String> {
    answers.into_iter().map(|answer| answer.unwrap().dossier_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_acts_over_one_call() {
    let Some(mut scene) = started(&[&["a"], &["b"]]).await else { return };
    let (a, b) = (scene.province.desk("a"), scene.province.desk("b"));
    let dossiers = ids(all(&a, (0..MANY).map(|n| submit(&a, &format!("s{n}")))).await);
    let received = v1::AckLevel::Received;
    let offers = || dossiers.iter().map(|id| offer(&a, &format!("o-{}", &id[..32]), id, received));
    for offered in all(&a, offers()).await {
        let offered = offered.unwrap();
        assert!(offered.level() >= received && offered.phase() == v1::Phase::Offered, "{offered:?}");
    }
    assert!(all(&a, offers()).await.into_iter().all(|again| again.unwrap().repeated_call));
    let accepts = dossiers.iter().map(|id| accept(&b, &format!("a-{}", &id[..32]), id));
    assert!(all(&b, accepts).await.into_iter().all(|done| done.unwrap().phase() == v1::Phase::Held));
    assert_eq!(b.list().await.unwrap().len(), MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_act_is_told_as_a_call_would_tell_it_and_the_others_go_on() {
    let Some(mut scene) = started(&[&["a"]]).await else { return };
    let a = scene.province.desk("a");
    let nobodys = "00".repeat(32);
    let acts = [submit(&a, "first"), accept(&a, "x", &nobodys), submit(&a, "bad key!"), submit(&a, "last")];
    let answers = all(&a, acts).await;
    assert!(answers[0].is_ok() && answers[3].is_ok(), "{answers:?}");
    let single = a.accept("x", &nobodys).await.unwrap_err();
    let Err(Failure::Refused(refused)) = &answers[1] else { panic!("{answers:?}") };
    assert_eq!(refused.code, single.code() as u32);
    assert_eq!(refused.reason(), v1::Reason::DossierNotFound);
    assert!(single.message().ends_with(&refused.message_en) && !refused.message_vi.is_empty(), "{refused:?}");
    let Err(Failure::Refused(refused)) = &answers[2] else { panic!("{answers:?}") };
    assert_eq!((refused.reason(), &*refused.field), (v1::Reason::BadId, "act.idempotency_key"));
    // An act that is none: by hand, for the helper cannot say it.
    let none = v1::PerformActsRequest { number: 7, act: None };
    let mut answers = a.client.clone().perform_acts(tokio_stream::once(none)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(v1::perform_acts_response::Answer::Refused(refused)) = answer.answer else {
        panic!("{answer:?}")
    };
    assert_eq!((answer.number, refused.reason(), &*refused.field), (7, v1::Reason::FieldMissing, "act"));
    assert!(answers.message().await.unwrap().is_none(), "the call ends when everything is answered");
}

/// What the ledger of a node keeps as part of a trace.
fn kept_of(scene: &super::Scene, node: &str, trace: &str) -> Option<String> {
    let folder = scene.province.path().join(node).join("data").join("ledger");
    let begins = format!("00-{trace}-");
    std::fs::read_dir(folder).unwrap().find_map(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let at = bytes.windows(begins.len()).position(|window| window == begins.as_bytes())?;
        Some(String::from_utf8(bytes[at..at + 55].to_vec()).unwrap())
    })
}

/// No node here exports anything: whoever does finds the caller's trace all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_callers_trace_goes_with_its_acts_to_the_other_side() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let Some(mut scene) = started(&[&["a"], &["b"]]).await else { return };
    let a = scene.province.desk("a");
    let id = a.submit("s", CONTENT.as_bytes()).await.unwrap().dossier_id;
    assert_eq!(kept_of(&scene, "a", TRACE), None);
    let act = Some(offer(&a, "o", &id, v1::AckLevel::Received));
    let mut call = tonic::Request::new(tokio_stream::once(v1::PerformActsRequest { number: 1, act }));
    call.metadata_mut().insert("traceparent", CALLER.parse().unwrap());
    let mut answers = a.client.clone().perform_acts(call).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().answer.unwrap();
    let v1::perform_acts_response::Answer::Done(done) = answer else { panic!("{answer:?}") };
    assert!(done.level() >= v1::AckLevel::Received, "{done:?}");
    let [mine, theirs] = ["a", "b"].map(|node| kept_of(&scene, node, TRACE));
    assert!(mine.is_some() && mine == theirs, "{mine:?} {theirs:?}");
    assert_ne!(mine.as_deref(), Some(CALLER), "the offer is a part of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_answers_what_is_under_way() {
    let Some(mut scene) = started(&[&["a"], &["b"]]).await else { return };
    let a = scene.province.desk("a");
    let id = a.submit("s", CONTENT.as_bytes()).await.unwrap().dossier_id;
    let call = Acts::open(&mut a.client.clone()).await.unwrap();
    // Nobody decides: only the node's end is an answer.
    let waits = call.perform(offer(&a, "o", &id, v1::AckLevel::Decided));
    let ends = async {
        a.until(&id, v1::Phase::Offered).await;
        scene.province.node("a").stop().await;
    };
    let (answer, ()) = tokio::join!(waits, ends);
    let answer = answer.unwrap();
    assert!(answer.level() < v1::AckLevel::Decided && answer.phase() == v1::Phase::Offered, "{answer:?}");
    let Err(Failure::Broken(status)) = call.perform(submit(&a, "late")).await else { panic!("it has ended") };
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");
}

/// What was under way when a node was killed is said again with its keys, until everything is answered.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_call_left_open_is_said_again_and_done_once() {
    let Some(mut scene) = started(&[&["a"]]).await else { return };
    let a = scene.province.desk("a");
    let (mut open, mut done, mut broken, mut rounds) = (Vec::new(), Vec::new(), 0, 0);
    let mut patience = Patience::new(BOUND, "a call breaks, and every act is answered");
    while broken == 0 || !open.is_empty() {
        patience.look().await;
        if open.is_empty() {
            // The first time, or when the kill came too late to break anything.
            rounds += 1;
            open.extend((0..MANY).map(|n| format!("s{rounds}-{n}")));
        }
        let node = scene.province.node("a");
        if !node.is_running() {
            node.start().await;
        }
        let Ok(call) = Acts::open(&mut a.client.clone()).await else { continue };
        let call = std::sync::Arc::new(call);
        let mut under_way = JoinSet::new();
        for key in std::mem::take(&mut open) {
            let (call, act) = (call.clone(), submit(&a, &key));
            under_way.spawn(async move { (key, call.perform(act).await) });
        }
        let mut is_victim = broken == 0;
        while let Some(answer) = under_way.join_next().await {
            match answer.unwrap() {
                (_, Ok(answer)) => done.push(answer.dossier_id),
                (key, Err(Failure::Broken(_))) => open.push(key),
                (key, Err(Failure::Refused(refused))) => panic!("{key}: {refused:?}"),
            }
            if std::mem::take(&mut is_victim) {
                node.kill().await;
            }
        }
        broken += open.len();
    }
    done.sort_unstable();
    let mut kept: Vec<_> = a.list().await.unwrap().into_iter().map(|dossier| dossier.id).collect();
    kept.sort_unstable();
    assert_eq!(done, kept, "each was done once, and nothing else");
}
