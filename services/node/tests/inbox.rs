//! The inbox: events come once, in order, to who lists them page by page and to who watches, wherever they begin.

mod common;

use common::{Fixture, act, dossier, offer, submit};
use futures::future::join_all;
use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use std::time::Instant;
use tonic::transport::Channel;

type Client = DossierServiceClient<Channel>;

async fn page(client: &Client, request: v1::ListInboxRequest) -> v1::ListInboxResponse {
    client.clone().list_inbox(request).await.unwrap().into_inner()
}

/// Everything after a cursor, by pages of a size.
async fn listed(client: &Client, agency: &str, after: Option<u64>, page_size: i32) -> Vec<v1::InboxEvent> {
    let (mut after, mut all) = (after, Vec::new());
    loop {
        let request = v1::ListInboxRequest { agency: agency.into(), after, page_size, undecided_only: false };
        let answer = page(client, request).await;
        assert!(answer.events.len() <= page_size as usize);
        assert_eq!(Some(answer.next_after), answer.events.last().map(|e| e.cursor).or(after.or(Some(0))));
        after = Some(answer.next_after);
        all.extend(answer.events);
        if !answer.more {
            return all;
        }
    }
}

/// As many events as are due, from a cursor on.
async fn watched(client: &Client, agency: &str, after: Option<u64>, due: usize) -> Vec<v1::InboxEvent> {
    let request = v1::WatchInboxRequest { agency: agency.into(), after };
    let mut events = client.clone().watch_inbox(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while all.len() < due {
        all.push(events.message().await.unwrap().unwrap().event.unwrap());
    }
    all
}

async fn undecided(client: &Client, agency: &str, page_size: i32) -> Vec<String> {
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let request = v1::ListInboxRequest { agency: agency.into(), after, page_size, undecided_only: true };
        let answer = page(client, request).await;
        assert!(answer.events.iter().all(|e| e.undecided) && answer.events.len() <= page_size as usize);
        all.extend(answer.events.into_iter().map(|e| e.dossier_id));
        after = Some(answer.next_after);
        if !answer.more {
            return all;
        }
    }
}

/// Offers at once, so that several come in one commit.
async fn offer_all(client: &Client, from: &str, to: &str, ids: &[String]) {
    join_all(ids.iter().map(async |id| offer(&mut client.clone(), from, to, id).await)).await;
}

async fn accept(client: &Client, at: &str, id: &str) {
    let request = v1::AcceptHandOffRequest {
        act: act(at, &format!("accept-{at}-{}", &id[..8])),
        dossier: dossier(id),
        ..Default::default()
    };
    client.clone().accept_hand_off(request).await.unwrap();
}

/// What is listed and watched from every cursor, by small and large pages, is what was listed at once.
async fn expect(client: &Client, agency: &str, all: &[v1::InboxEvent]) {
    assert!(all.is_sorted_by_key(|e| e.cursor));
    for size in [1, 3, 200] {
        assert_eq!(listed(client, agency, None, size).await, all, "{agency} by {size}");
    }
    for (nth, event) in all.iter().enumerate() {
        let rest = &all[nth + 1..];
        assert_eq!(listed(client, agency, Some(event.cursor), 7).await, rest, "{agency} after {nth}");
        assert_eq!(watched(client, agency, Some(event.cursor), rest.len()).await, rest);
    }
    assert_eq!(watched(client, agency, None, all.len()).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_comes_once_from_any_cursor_on_also_after_a_start() {
    let fixture = Fixture::new(&["xa", "huyen", "so"]);
    let (node, client) = fixture.start().await;
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(submit(&mut client.clone(), &format!("k{n}")).await.dossier_id);
    }
    // Offers by many commits, and by few.
    for id in &ids[..3] {
        offer_all(&client, "xa", "huyen", std::slice::from_ref(id)).await;
    }
    offer_all(&client, "xa", "huyen", &ids[3..25]).await;
    offer_all(&client, "xa", "so", &ids[25..]).await;
    for id in ids[..10].iter().chain(&ids[20..22]) {
        accept(&client, "huyen", id).await;
    }
    offer_all(&client, "huyen", "so", &ids[..6]).await;
    for id in &ids[..4] {
        accept(&client, "so", id).await;
    }
    let due = [("xa", 12 + 6 + 4), ("huyen", 25 + 4), ("so", 15 + 6)];
    let mut before = Vec::new();
    for (agency, due) in due {
        // What the others hear may be under way.
        let events = watched(&client, agency, None, due).await;
        assert_eq!(listed(&client, agency, None, 200).await.len(), due, "{agency}: {events:?}");
        before.push((agency, events));
    }
    let open: Vec<_> = before[1].1.iter().filter(|e| e.undecided).map(|e| e.dossier_id.clone()).collect();
    assert_eq!(open.len(), 25 - 12);
    let look = async |client: &Client| {
        for (agency, events) in &before {
            expect(client, agency, events).await;
        }
        for size in [1, 4, 200] {
            assert_eq!(undecided(client, "huyen", size).await, open, "by {size}");
        }
    };
    look(&client).await;
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
    for queues in ["there", "gone"] {
        if queues == "gone" {
            std::fs::remove_dir_all(fixture.path().join("data/queues")).unwrap();
        }
        let (node, client) = fixture.start().await;
        look(&client).await;
        assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
    }
}

/// Rows are gathered for 200 ms while something happens. Who watches is told when it is durable.
#[tokio::test(flavor = "multi_thread")]
async fn who_watches_waits_for_no_row() {
    let fixture = Fixture::new(&["xa", "huyen"]);
    let (node, mut client) = fixture.start().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(submit(&mut client, &format!("k{n}")).await.dossier_id);
    }
    let request = v1::WatchInboxRequest { agency: "huyen".into(), after: None };
    let mut events = client.clone().watch_inbox(request).await.unwrap().into_inner();
    let (mut handed, mut waited) = (Vec::new(), Vec::new());
    for id in &ids {
        let begun = Instant::now();
        offer(&mut client, "xa", "huyen", id).await;
        let received = Instant::now();
        let event = events.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!(event.dossier_id, *id);
        handed.push(received - begun);
        waited.push(received.elapsed());
    }
    handed.sort_unstable();
    waited.sort_unstable();
    let middle = ids.len() / 2;
    println!("a hand-off {:?}, then its event {:?}", handed[middle], waited[middle]);
    assert!(waited[middle] < handed[middle] * 5, "a hand-off {handed:?}, then its event {waited:?}");
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}
