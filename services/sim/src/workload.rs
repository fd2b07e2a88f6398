//! What is asked: 50 dossiers, each on a way of its own, and now and then something nobody may do.
//!
//! What is done at a visit is drawn from the stream of that dossier and visit, so that no fault reshuffles it.

use crate::cast::{Cast, PROCEDURES};
use crate::place::Place;
use crate::random::{Concern, Stream};
use lienthong_core::custody::command::{Act, Command, OfferTo, Submit};
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{TrackId, WallMs};
use lienthong_core::record::CommandRef;
use lienthong_core::statement::{Channel, HandOffKind, Officer, PaperItem, Resolution};
use lienthong_wire::chain::payload_hash;
use lienthong_wire::content::{PLAIN, commit};

/// A dossier as people see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dossier {
    /// Its track, once the counter was told.
    pub track: Option<TrackId>,
    /// How often somebody turned to it.
    pub visits: u64,
}

/// An agency asked for something, and the name of that in the count of actions.
pub type Errand = (usize, Act, &'static str);

const CHANNELS: [Channel; 3] = [Channel::Counter, Channel::Online, Channel::Post];

/// The stream of one visit.
pub fn visit(seed: u64, concern: Concern, dossier: usize, visit: u64) -> Stream {
    Stream::new(seed, concern, (dossier as u64) << 24 | visit)
}

/// The intake of a dossier: always the same for one seed and number, so that it can be asked again.
pub fn intake(seed: u64, dossier: usize, cast: &Cast) -> Errand {
    let mut stream = visit(seed, Concern::Workload, dossier, 0);
    let agency = stream.below(cast.ids.len() as u64) as usize;
    let procedure = *stream.pick(&PROCEDURES);
    let content = stream.chance(700).then(|| {
        let (mut salt, length) = ([0; 32], stream.magnitude(1, 4_096));
        stream.fill(&mut salt);
        let mut data = vec![0; length as usize];
        stream.fill(&mut data);
        commit(PLAIN, &data, &salt).expect("a small content")
    });
    // Some come from a portal with a code of their own.
    let code = stream.chance(200).then(|| format!("G01-250701-{:07}", dossier + 1));
    let papers = (0..stream.below(4)).map(|n| PaperItem { name: format!("giấy {n}"), copies: 1 }).collect();
    let submit = Submit {
        code,
        procedure: procedure.into(),
        procedure_version: 1,
        channel: *stream.pick(&CHANNELS),
        content,
        due_at: stream.chance(300).then_some(WallMs(1_706_000_000_000)),
        papers,
    };
    (agency, Act::Submit(submit), "submit")
}

/// What is done at a visit; `None` when there is nothing to do there now.
pub fn errand(stream: &mut Stream, places: &[Place], track: TrackId) -> Option<Errand> {
    let mut options: Vec<(u64, Errand)> = Vec::new();
    let mut idle = 0;
    for place in places.iter().filter(|p| p.node.is_some()) {
        let Some(known) = place.state().track(&track) else { continue };
        let n = place.number;
        let closed = known.returned.is_some();
        match known.phase {
            Phase::Held if closed => options.push((1, (n, note(track), "note on a closed dossier"))),
            Phase::Held => held(stream, places, n, track, known.completed.is_some(), &mut options),
            Phase::Inbox(tid) => {
                let reason = "thiếu giấy tờ".to_owned();
                options.push((50, (n, Act::Accept { tid, note: String::new() }, "accept")));
                options.push((18, (n, Act::Refuse { tid, reason }, "refuse")));
            }
            Phase::Offered(_) => {
                let reason = "chuyển nhầm".to_owned();
                idle = 60; // mostly people wait
                options.push((22, (n, Act::Recall { track, reason }, "recall")));
                options.push((2, (n, note(track), "note on what is locked")));
            }
            Phase::Followed | Phase::Gone | Phase::Out => {
                options.push((1, (n, note(track), "note by a stranger")));
                options.push((1, (n, offer(stream, track, places, n), "offer by a stranger")));
                if let Some((tid, _)) = known.last_transfer() {
                    options.push((1, (n, Act::Accept { tid: *tid, note: String::new() }, "accept again")));
                }
            }
        }
    }
    let mut at = stream.below(idle + options.iter().map(|(weight, _)| weight).sum::<u64>());
    for (weight, errand) in options {
        if at < weight {
            return Some(errand);
        }
        at -= weight;
    }
    None
}

fn held(
    stream: &mut Stream,
    places: &[Place],
    n: usize,
    track: TrackId,
    completed: bool,
    options: &mut Vec<(u64, Errand)>,
) {
    options.push((80, (n, offer(stream, track, places, n), "offer")));
    options.push((8, (n, note(track), "note")));
    let (resolution, text) = (Resolution::Resolved, String::new());
    options.push((6, (n, Act::Complete { track, resolution, note: text.clone() }, "complete")));
    let weight = if completed { 40 } else { 1 };
    options
        .push((weight, (n, Act::Return { track, channel: *stream.pick(&CHANNELS), note: text }, "return")));
    let reason = String::new();
    options.push((1, (n, Act::Recall { track, reason }, "recall of what is not offered")));
}

fn note(track: TrackId) -> Act {
    Act::Note { track, text: "đã xem".into() }
}

fn offer(stream: &mut Stream, track: TrackId, places: &[Place], from: usize) -> Act {
    // Now and then to oneself.
    let step = if stream.chance(20) { 0 } else { 1 + stream.below(places.len() as u64 - 1) as usize };
    Act::Offer(OfferTo {
        track,
        to: places[(from + step) % places.len()].id.clone(),
        kind: HandOffKind::Forward,
        step: "xu-ly".into(),
        due_at: None,
        papers: Vec::new(),
        note: String::new(),
    })
}

/// A command under a key.
pub fn command(key: &str, agency: usize, act: Act) -> Command {
    let call = CommandRef { key: key.into(), digest: payload_hash(format!("{agency} {act:?}").as_bytes()) };
    let officer = Officer { id: format!("{agency}-01"), name: "Nguyễn Thị Lan".into() };
    Command { call, officer, trace: None, act }
}
