//! A node with two agencies on the embedded link: one dossier goes there and back through the public API.

mod common;

use common::{Fixture, accept, act, dossier, get, offer, submit};
use lienthong_proto::acts::{Act, Acts};
use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::node_service_client::NodeServiceClient;
use lienthong_wire::evidence;
use tonic::transport::Channel;

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back() {
    let fixture = Fixture::new(&["xa", "huyen"]);
    let (node, mut client) = fixture.start().await;
    let submitted = submit(&mut client, "k1").await;
    assert_eq!(submitted.phase(), v1::Phase::Held);
    let again = submit(&mut client, "k1").await;
    assert!(again.repeated_call && again.dossier_id == submitted.dossier_id);
    let id = submitted.dossier_id;

    let offered = offer(&mut client, "xa", "huyen", &id).await.done.unwrap();
    assert_eq!(offered.level(), v1::AckLevel::Received);
    let accepted = accept(&mut client, "huyen", &id).await;
    assert_eq!(accepted.phase(), v1::Phase::Held);
    let complete = v1::CompleteDossierRequest {
        act: act("huyen", "complete"),
        dossier: dossier(&id),
        resolution: v1::Resolution::Resolved as i32,
        note: String::new(),
    };
    client.complete_dossier(complete).await.unwrap();
    offer(&mut client, "huyen", "xa", &id).await;
    accept(&mut client, "xa", &id).await;
    let returned = v1::ReturnResultRequest {
        act: act("xa", "return"),
        dossier: dossier(&id),
        channel: v1::Channel::Counter as i32,
        note: String::new(),
    };
    let closed = client.return_result(returned).await.unwrap().into_inner().done.unwrap();
    assert_eq!(closed.phase(), v1::Phase::Closed);

    let trail = v1::GetTrailRequest { agency: "xa".into(), dossier: dossier(&id) };
    let trail = client.get_trail(trail).await.unwrap().into_inner();
    let spine = trail.entries.iter().filter(|e| e.on_spine).count();
    assert_eq!(spine, 7, "intake, offer, accept, completed, offer, accept, returned");
    for agency in ["xa", "huyen"] {
        let verdict = export(&mut client, agency, &id).await;
        assert_eq!(verdict.custodian_now.as_str(), "xa");
    }
    let before = get(&mut client, "xa", &id).await;
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());

    let (node, mut client) = fixture.start().await;
    assert_eq!(get(&mut client, "xa", &id).await, before);
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}

async fn export(client: &mut DossierServiceClient<Channel>, agency: &str, id: &str) -> evidence::Verdict {
    let request = v1::ExportTrailRequest { act: act(agency, "export"), dossier: dossier(id) };
    let mut pieces = client.export_trail(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        file.extend_from_slice(&piece.piece);
    }
    evidence::verify(file.into(), None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_inbox_and_status_show_what_was_told() {
    let fixture = Fixture::new(&["xa", "huyen"]);
    let (node, mut client) = fixture.start().await;
    let id = submit(&mut client, "k1").await.dossier_id;
    let tid = offer(&mut client, "xa", "huyen", &id).await.hand_off_id;
    let list = v1::ListDossiersRequest {
        agency: "huyen".into(),
        phases: vec![v1::Phase::Inbox as i32],
        ..Default::default()
    };
    let listed = client.list_dossiers(list).await.unwrap().into_inner().dossiers;
    assert_eq!(listed.iter().map(|d| &d.id).collect::<Vec<_>>(), [&id]);
    let inbox = v1::ListInboxRequest { agency: "huyen".into(), undecided_only: true, ..Default::default() };
    let inbox = client.list_inbox(inbox).await.unwrap().into_inner();
    assert_eq!(inbox.events.iter().map(|e| &e.hand_off_id).collect::<Vec<_>>(), [&tid]);
    let watch = v1::WatchInboxRequest { agency: "xa".into(), after: None };
    let mut events = client.watch_inbox(watch).await.unwrap().into_inner();
    accept(&mut client, "huyen", &id).await;
    let event = events.message().await.unwrap().unwrap().event.unwrap();
    assert_eq!((event.kind(), &event.hand_off_id), (v1::InboxEventKind::Accepted, &tid));
    let mut ops = NodeServiceClient::connect(format!("http://{}", node.address)).await.unwrap();
    let status = ops.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert!(status.ready);
    assert_eq!(status.agencies.iter().map(|a| a.held).sum::<u64>(), 1);
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_begin_with_what_came_first_and_go_on_page_by_page() {
    let fixture = Fixture::new(&["xa", "huyen"]);
    let (node, mut client) = fixture.start().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(submit(&mut client, &format!("k{n}")).await.dossier_id);
    }
    for id in [&ids[5], &ids[1], &ids[3]] {
        offer(&mut client, "xa", "huyen", id).await;
    }
    let lists = Lists { ids: &ids };
    let of = async |agency, phases: &[v1::Phase]| lists.of(&client, agency, phases).await;
    assert_eq!(of("xa", &[]).await, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(of("xa", &[v1::Phase::Offered]).await, [1, 3, 5]);
    assert_eq!(of("xa", &[v1::Phase::Offered, v1::Phase::Held]).await, [0, 2, 4, 6, 1, 3, 5]);
    assert_eq!(of("huyen", &[v1::Phase::Inbox]).await, [5, 1, 3], "in the order in which they came in there");
    let mut officer = client.clone();
    accept(&mut officer, "huyen", &ids[1]).await;
    let (first, resolution) = (dossier(&ids[1]), v1::Resolution::Resolved as i32);
    let act = |key| act("huyen", key);
    let complete = v1::CompleteDossierRequest {
        act: act("complete"),
        dossier: first.clone(),
        resolution,
        ..Default::default()
    };
    officer.complete_dossier(complete).await.unwrap();
    let channel = v1::Channel::Counter as i32;
    let back = v1::ReturnResultRequest { act: act("return"), dossier: first, channel, ..Default::default() };
    officer.return_result(back).await.unwrap();
    // Of the one that has decided everything: what the other hears of it is under way.
    let everything = async |client: &DossierServiceClient<Channel>| {
        let mut all = vec![lists.of(client, "huyen", &[]).await];
        for phase in [v1::Phase::Held, v1::Phase::Offered, v1::Phase::Inbox, v1::Phase::Closed] {
            all.push(lists.of(client, "huyen", &[phase]).await);
        }
        all
    };
    let expected = [vec![5, 1, 3], vec![], vec![], vec![5, 3], vec![1]];
    assert_eq!(everything(&client).await, expected);
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
    for queues in ["there", "gone"] {
        if queues == "gone" {
            std::fs::remove_dir_all(fixture.path().join("data/queues")).unwrap();
        }
        let (node, client) = fixture.start().await;
        assert_eq!(everything(&client).await, expected, "started again, the queues {queues}");
        assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
    }
}

/// Lists by pages of two, as places in `ids`.
struct Lists<'a> {
    ids: &'a [String],
}

impl Lists<'_> {
    async fn of(
        &self,
        client: &DossierServiceClient<Channel>,
        agency: &str,
        phases: &[v1::Phase],
    ) -> Vec<usize> {
        let phases = phases.iter().map(|phase| *phase as i32).collect();
        let mut request =
            v1::ListDossiersRequest { agency: agency.into(), page_size: 2, phases, ..Default::default() };
        let (mut listed, mut client) = (Vec::new(), client.clone());
        loop {
            let page = client.list_dossiers(request.clone()).await.unwrap().into_inner();
            assert!(page.dossiers.len() <= 2);
            let place = |d: v1::Dossier| self.ids.iter().position(|id| *id == d.id).unwrap();
            listed.extend(page.dossiers.into_iter().map(place));
            if page.next_page_token.is_empty() {
                return listed;
            }
            request.page_token = page.next_page_token;
        }
    }
}

/// A batch over one call takes half of the loop's room at most, whatever its acts ask of the loop before they are done.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_leaves_room_for_an_officer() {
    let mut fixture = Fixture::new(&["xa", "huyen"]);
    fixture.config.limits.commands_waiting = 8;
    let (node, mut client) = fixture.start().await;
    let mut ids = Vec::new();
    for n in 0..100 {
        let id = submit(&mut client, &format!("k{n}")).await.dossier_id;
        offer(&mut client, "xa", "huyen", &id).await;
        ids.push(id);
    }
    let call = std::sync::Arc::new(Acts::open(&mut client).await.unwrap());
    let mut batch = tokio::task::JoinSet::new();
    for id in ids {
        let call = call.clone();
        // Which offer it is about the loop is asked first.
        let key = format!("a-{}", &id[..32]);
        let accept =
            v1::AcceptHandOffRequest { act: act("huyen", &key), dossier: dossier(&id), ..Default::default() };
        batch.spawn(async move { call.perform(Act::Accept(accept)).await });
    }
    for n in 0..20 {
        submit(&mut client, &format!("officer-{n}")).await;
    }
    while let Some(done) = batch.join_next().await {
        done.unwrap().unwrap();
    }
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}

/// What waits together may be far more than one commit of the ledger takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_the_largest_requests_stops_nothing() {
    let fixture = Fixture::new(&["xa", "huyen"]);
    let (node, client) = fixture.start().await;
    let paper = v1::PaperItem { name: "Giấy tờ ".repeat(25), copies: 1 };
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..600 {
        let (mut client, papers) = (client.clone(), vec![paper.clone(); 64]);
        calls.spawn(async move {
            let request = v1::SubmitDossierRequest {
                act: act("xa", &format!("crowd-{n}")),
                procedure_code: "1.001193".into(),
                channel: v1::Channel::Post as i32,
                paper_items: papers,
                ..Default::default()
            };
            client.submit_dossier(request).await.map(drop)
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap().unwrap();
    }
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}
