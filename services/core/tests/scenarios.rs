//! Scenario scripts: what a clerk could read, run on real nodes. `tests/scenarios/README.md` has the verbs.
//!
//! After every line all invariants are checked; what fails names file and line.

mod world;

use lienthong_core::custody::track::{Phase, Track};
use lienthong_core::ids::{AgencyId, Digest, Hop, TrackId};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::statement::{
    Accept, Body, Cancel, Channel, Commitment, Completed, HandOffKind, Note, Offer, RefusalCause, Resolution,
    Returned,
};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use world::network::Mailbox;
use world::people::{act, dossier, offer};
use world::{Fault, World, directory, id};

/// One script being run.
struct Play {
    world: World,
    names: Vec<String>,
    tracks: BTreeMap<String, TrackId>,
}

/// Runs a script; the first line that does not hold is named.
fn check(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut play = Play { world: World::new(&[]), names: Vec::new(), tracks: BTreeMap::new() };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{}:{}: {line}", path.display(), number + 1);
        let came = catch_unwind(AssertUnwindSafe(|| play.line(line).and_then(|()| play.world.check())));
        match came {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => panic!("{place}\n    {fault}"),
            Err(_) => panic!("{place}\n    panicked, see above"),
        }
    }
}

#[test]
fn every_script_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "txt")).collect();
    scripts.sort();
    assert!(scripts.len() >= 20, "scripts are missing in {}", folder.display());
    let faults = scripts.iter().filter(|script| catch_unwind(|| check(script)).is_err()).count();
    assert_eq!(faults, 0, "scripts that do not hold; each is named above");
}

impl Play {
    fn line(&mut self, line: &str) -> Result<(), Fault> {
        let (line, expected) = match line.split_once(" fails ") {
            Some((line, reason)) => (line, Some(reason)),
            None => (line, None),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let came = match words.as_slice() {
            ["agencies", names @ ..] => {
                self.names = names.iter().map(|n| n.to_lowercase()).collect();
                self.world = World::new(&self.names.iter().map(String::as_str).collect::<Vec<_>>());
                Ok(())
            }
            ["cohost", a, b] => self.cohost(a, b),
            ["deliver", "all"] => return self.world.deliver_all(),
            ["drop", "all"] => {
                self.world.pending.clear();
                Ok(())
            }
            ["deliver", kind, from, "to", to] => {
                let number = self.find(kind, from, to, false)?;
                self.world.deliver(number)?
            }
            ["repeat", kind, from, "to", to] => self.repeat(kind, from, to)?,
            ["drop", kind, from, "to", to] => {
                let number = self.find(kind, from, to, false)?;
                self.world.pending.retain(|n| *n != number);
                Ok(())
            }
            ["forge", kind, "of", track, "by", from, "to", to] => self.forge(kind, track, from, to)?,
            ["time", "passes", number, unit] => return self.world.pass(span(number, unit)? as u64),
            ["heal"] => return self.world.heal(),
            ["authority", "retires", gone, "at", who] => self.retire(gone, None, who)?,
            ["authority", "retires", gone, "for", successor, "at", who] => {
                self.retire(gone, Some(id(successor)), who)?
            }
            ["clock", "of", who, "off", number, unit] => {
                self.world.at_mut(&id(who)).clock_ms = span(number, unit)?;
                Ok(())
            }
            ["mailbox", "of", who, how] => self.mailbox(who, how),
            ["expect", rest @ ..] => return self.expect(rest),
            [who, rest @ ..] => self.person(who, rest)?,
            [] => Ok(()),
        };
        match (came, expected) {
            (Ok(()), None) => Ok(()),
            (Err(reason), Some(name)) if format!("{reason:?}") == name => Ok(()),
            (Ok(()), Some(name)) => Err(format!("went through, should fail with {name}")),
            (Err(reason), _) => Err(format!("failed with {reason:?}")),
        }
    }

    fn track(&self, name: &str) -> Result<TrackId, Fault> {
        self.tracks.get(name).copied().ok_or_else(|| format!("nobody has submitted {name}"))
    }

    fn cohost(&mut self, a: &str, b: &str) -> Result<(), Reason> {
        let process = self.world.at(&id(a)).process;
        self.world.at_mut(&id(b)).process = process;
        Ok(())
    }

    fn retire(
        &mut self,
        gone: &str,
        successor: Option<AgencyId>,
        who: &str,
    ) -> Result<Result<(), Reason>, Fault> {
        let act = self.world.act(&id(gone), successor, 1);
        Ok(self.world.step(&id(who), Input::Act(act))?.map(|_| ()))
    }

    fn mailbox(&mut self, who: &str, how: &str) -> Result<(), Reason> {
        self.world.at_mut(&id(who)).mailbox = match how {
            "full" => Mailbox::Full,
            "missing" => Mailbox::Missing,
            _ => Mailbox::Open,
        };
        Ok(())
    }

    /// The oldest letter of its kind: on its way, or delivered before.
    fn find(&self, kind: &str, from: &str, to: &str, delivered: bool) -> Result<usize, Fault> {
        let wanted = format!("{kind} {} to {}", id(from), id(to));
        let mut all = 0..self.world.letters.len();
        let right = |n: &usize| {
            let known =
                if delivered { self.world.letters[*n].delivered > 0 } else { self.world.pending.contains(n) };
            known && self.world.label(*n) == wanted
        };
        all.find(right).ok_or_else(|| {
            let way: Vec<String> = self.world.pending.iter().map(|n| self.world.label(*n)).collect();
            format!("there is no such letter; on the way: {}", way.join(", "))
        })
    }

    /// A second delivery writes nothing (I8).
    fn repeat(&mut self, kind: &str, from: &str, to: &str) -> Result<Result<(), Reason>, Fault> {
        let number = self.find(kind, from, to, true)?;
        let before = self.world.at(&id(to)).ledger.len();
        let came = self.world.deliver(number)?;
        if came.is_ok() && self.world.at(&id(to)).ledger.len() != before {
            return Err("I8: the repetition wrote new records".into());
        }
        Ok(came)
    }

    fn forge(&mut self, kind: &str, track: &str, from: &str, to: &str) -> Result<Result<(), Reason>, Fault> {
        let (track, from, to) = (self.track(track)?, id(from), id(to));
        let known = self.world.state(&to).track(&track);
        let standing = known.map(Track::standing);
        let prev = standing.map_or(track, |s| s.tip);
        let named = self.world.transfer_to(track, &to).or(standing.and_then(|s| s.open));
        let tid = named.unwrap_or(track);
        let body = match kind {
            "cancel" => Body::Cancel(Cancel { track, tid, reason: String::new() }),
            "accept" => {
                let hop = known.and_then(|t| t.transfers.get(&tid)).map_or(Default::default(), |t| t.hop);
                Body::Accept(Accept { track, tid, hop, note: String::new() })
            }
            "stray" => {
                let (tid, hop) = (Digest([7; 32]), Hop(200));
                Body::Accept(Accept { track, tid, hop, note: String::new() })
            }
            "note" => Body::Note(Note { track, prev, text: "giả".into() }),
            "returned" => {
                let (channel, note) = (Channel::Post, String::new());
                Body::Returned(Returned { track, prev, channel, note })
            }
            "offer" => {
                let hop = standing.map_or(Hop(0), |s| s.hop);
                let content = known.and_then(|t| t.commitment.clone());
                old_offer(track, prev, hop, from.clone(), content)
            }
            "completed" => {
                let (resolution, note) = (Resolution::Denied, String::new());
                Body::Completed(Completed { track, prev, resolution, note })
            }
            _ => return Err(format!("nobody forges a {kind}")),
        };
        let offered = self.world.letters.iter().position(|l| l.statement.sid() == tid && l.to == to);
        let number = self.world.forge(&from, &to, body, offered);
        self.world.deliver(number)
    }

    fn person(&mut self, who: &str, words: &[&str]) -> Result<Result<(), Reason>, Fault> {
        let me = id(who);
        let act = match words {
            ["crashes"] => {
                let process = self.world.at(&me).process;
                return self.world.crash(process).map(Ok);
            }
            ["starts"] => return self.world.start(&me).map(Ok),
            ["dies"] => {
                self.world.die(&me);
                return Ok(Ok(()));
            }
            ["was", "never", "started"] => {
                let place = self.world.at_mut(&me);
                (place.node, place.mailbox) = (None, Mailbox::Missing);
                place.ledger.clear();
                place.head = lienthong_core::ids::Head::EMPTY;
                return Ok(Ok(()));
            }
            ["restarts", "with", "a", "directory", "that", "forbids", giver] => {
                let (epoch, giver) = (self.world.at(&me).directory.epoch + 1, giver.to_lowercase());
                let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
                let new = directory(&names, epoch, |from, to| (from, to) != (giver.as_str(), me.as_str()));
                self.world.at_mut(&me).directory = new;
                return self.world.crash(self.world.at(&me).process).map(Ok);
            }
            ["submits", name, rest @ ..] => return self.submit(who, name, rest),
            ["offers", track, "to", to, ..] => offer(self.track(track)?, id(to)),
            [verb, track, ..] => {
                let track = self.track(track)?;
                let tid = self.world.transfer_to(track, &me).unwrap_or(Digest::ZERO);
                act(verb, track, tid).ok_or_else(|| format!("nobody {verb} a dossier"))?
            }
            _ => return Err("this line has no verb".into()),
        };
        let came = match words.iter().position(|w| *w == "key") {
            Some(at) => self.world.ask_under(words.get(at + 1).unwrap_or(&"?"), &me, act)?,
            None => self.world.ask(&me, act)?,
        };
        self.repeated(words, came)
    }

    fn submit(&mut self, who: &str, name: &str, rest: &[&str]) -> Result<Result<(), Reason>, Fault> {
        let after =
            |word: &str| rest.iter().position(|w| *w == word).and_then(|at| rest.get(at + 1)).copied();
        let content = if rest.contains(&"empty") { None } else { Some("hồ sơ của công dân") };
        let act = dossier(content, after("code"));
        let came = match after("key") {
            Some(key) => self.world.ask_under(key, &id(who), act)?,
            None => self.world.ask(&id(who), act)?,
        };
        if let Ok(Answer::Done { track, repeated: false, .. }) = came {
            self.tracks.insert(name.into(), track);
        } else if let Ok(Answer::Done { track, .. }) = came
            && self.tracks.get(name) != Some(&track)
        {
            return Err(format!("the stored answer is about another dossier than {name}"));
        }
        self.repeated(rest, came)
    }

    fn repeated(&self, words: &[&str], came: Result<Answer, Reason>) -> Result<Result<(), Reason>, Fault> {
        let again = words.last() == Some(&"again");
        match came {
            Ok(Answer::Done { repeated, .. }) if repeated != again => {
                Err(format!("the answer was {}", if repeated { "a stored one" } else { "made anew" }))
            }
            other => Ok(other.map(|_| ())),
        }
    }

    fn expect(&self, words: &[&str]) -> Result<(), Fault> {
        let (real, wanted) = match words {
            ["custodian", "of", track, "at", who, "is", wanted] => {
                let known = self.world.state(&id(who)).track(&self.track(track)?).ok_or("not known there")?;
                (known.custodian().to_string(), wanted.to_lowercase())
            }
            ["trail", "of", track, "at", who, "is", wanted @ ..] => {
                (self.trail(self.track(track)?, who)?, wanted.join(" "))
            }
            ["decision", "on", track, "at", who, "is", wanted] => {
                let known = self.world.state(&id(who)).track(&self.track(track)?).ok_or("not known there")?;
                (decision(known).into(), (*wanted).into())
            }
            ["retired", "at", who, "is", wanted @ ..] => {
                let retired = self.world.state(&id(who)).memory.acts.retired().map(|(_, act)| &act.agency);
                let retired: Vec<String> = retired.map(ToString::to_string).collect();
                (retired.join(" "), wanted.join(" ").to_lowercase())
            }
            ["outbox", "of", who, "has", wanted] => {
                (self.world.state(&id(who)).outbox.len().to_string(), (*wanted).into())
            }
            ["code", "of", track, "at", who, "is", wanted] => {
                let known = self.world.state(&id(who)).track(&self.track(track)?).ok_or("not known there")?;
                (known.code.to_string(), (*wanted).into())
            }
            ["trouble", "of", peer, "at", who, "is", wanted] => {
                let node = self.world.at(&id(who)).node.as_ref().ok_or("not started")?;
                (format!("{:?}", node.courier().trouble(&id(peer)).map(|t| t.0)), format!("Some({wanted})"))
            }
            ["on", "the", "way", wanted @ ..] => {
                let way: Vec<String> = self.world.pending.iter().map(|n| self.world.label(*n)).collect();
                (way.join(", "), wanted.join(" ").to_lowercase())
            }
            [who, track, "is", wanted] => {
                (phase(self.world.state(&id(who)).track(&self.track(track)?)).into(), (*wanted).into())
            }
            _ => return Err("nobody can expect that".into()),
        };
        if real == wanted { Ok(()) } else { Err(format!("it is: {real}")) }
    }

    fn trail(&self, track: TrackId, who: &str) -> Result<String, Fault> {
        let known = self.world.state(&id(who)).track(&track).ok_or("not known there")?;
        let spine = known.spine_to(&known.standing().tip).ok_or("the spine has a gap")?;
        let said = spine.iter().filter_map(|i| self.world.statement(&id(who), *i));
        Ok(said.map(|s| s.body.kind().name()).collect::<Vec<_>>().join(" "))
    }
}

fn phase(track: Option<&Track>) -> &'static str {
    match track.map(|t| (t.returned, t.phase)) {
        None => "unknown",
        Some((Some(_), _)) => "closed",
        Some((None, Phase::Followed)) => "followed",
        Some((None, Phase::Held)) => "held",
        Some((None, Phase::Offered(_))) => "offered",
        Some((None, Phase::Inbox(_))) => "inbox",
        Some((None, Phase::Gone)) => "gone",
        Some((None, Phase::Out)) => "out",
    }
}

fn decision(track: &Track) -> &'static str {
    match track.last_transfer().and_then(|(_, t)| t.outcome).map(|o| o.refused) {
        None => "open",
        Some(None) => "accepted",
        Some(Some(RefusalCause::Officer)) => "refused",
        Some(Some(RefusalCause::Recalled)) => "recalled",
        Some(Some(RefusalCause::Policy)) => "forbidden",
        Some(Some(RefusalCause::Reclaimed)) => "reclaimed",
        Some(Some(RefusalCause::Succeeded)) => "succeeded",
    }
}

/// An offer whose number does not rise, by a custodian to itself.
fn old_offer(track: TrackId, prev: Digest, hop: Hop, to: AgencyId, content: Option<Commitment>) -> Body {
    let (procedure, step, note) = ("1.001193".into(), String::new(), String::new());
    let (kind, papers) = (HandOffKind::Forward, Vec::new());
    Body::Offer(Offer {
        track,
        prev,
        hop,
        to,
        kind,
        procedure,
        procedure_version: 1,
        step,
        due_at: None,
        papers,
        content,
        note,
    })
}

fn span(number: &str, unit: &str) -> Result<i64, Fault> {
    let number: i64 = number.parse().map_err(|_| format!("{number} is no number"))?;
    let ms = match unit {
        "seconds" => 1_000,
        "minutes" => 60_000,
        "days" => 86_400_000,
        _ => return Err(format!("{unit} is no unit of time")),
    };
    Ok(number * ms)
}
