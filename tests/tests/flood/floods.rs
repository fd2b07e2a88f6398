//! The floods: what one agency can do with its own name.

use lienthong_core::codec::Codec;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, WallMs};
use lienthong_core::statement::{self as core, Body, Claim, Statement};
use lienthong_proto::v1;
use lienthong_tests::{Desk, Province};
use lienthong_wire::content;
use lienthong_wire::envelope::{Letter, PackBuilder, encode_envelope};
use lienthong_wire::keys::{Signer, load};
use lienthong_wire::statement::WireCodec;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Ways to flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// Small messages that are nothing.
    Garbage,
    /// Large messages that are nothing.
    LargeGarbage,
    /// Offers that hold, each in a message of its own, again and again.
    ValidOffers,
    /// A node that offers as much as it can.
    Node,
    /// Small messages that are nothing, as fast as the server reads them from the same machine.
    Unbounded,
    /// The same to the flooder's own mailbox: what the server and the machine make of it, without the receiver.
    Elsewhere,
}

impl Flood {
    /// What others may be slowed by at the most.
    pub(crate) const JUDGED: [Flood; 4] =
        [Flood::Garbage, Flood::LargeGarbage, Flood::ValidOffers, Flood::Node];
    /// What is measured and told.
    pub(crate) const TOLD: [Flood; 2] = [Flood::Unbounded, Flood::Elsewhere];

    fn subject(self) -> &'static str {
        if self == Flood::Elsewhere { "lt.v1.f.from.f.offer" } else { "lt.v1.r.from.f.offer" }
    }

    fn speed(self) -> u64 {
        match self {
            Flood::Unbounded | Flood::Elsewhere => 0,
            Flood::Garbage | Flood::LargeGarbage | Flood::ValidOffers | Flood::Node => LINE_BYTES_PER_S,
        }
    }
}

/// Distinct messages of a raw flood.
const DISTINCT: usize = 400;
/// The line of the flooder, 100 Mbit/s: what a commune has at the most.
pub(crate) const LINE_BYTES_PER_S: u64 = 12_500_000;
/// Offers of the flooding node without a receipt at a time: more than its line holds, and few enough that a quiet spell
/// after the flood is quiet.
const OFFERS_AT_A_TIME: usize = 512;
/// The longest wait for one receipt: a spell.
const WAIT_MS: u32 = 10_000;

/// A disk of the flooder's own: what it writes must not keep the receiver's from writing.
pub(crate) fn disk() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// The flooder's means.
pub(crate) struct Hand {
    port: u16,
    dir: PathBuf,
}

/// A flood under way.
pub(crate) enum AtWork {
    Raw(Child),
    Node(Vec<JoinHandle<u64>>),
}

impl Hand {
    pub(crate) fn of(province: &Province, port: u16) -> Self {
        let hand = Self { port, dir: province.path().to_owned() };
        let noise =
            |n: usize, len: usize| -> Vec<u8> { (0..len).map(|i| ((i * 31 + n * 17) % 251) as u8).collect() };
        hand.write(Flood::Garbage, (0..DISTINCT).map(|n| noise(n, 200)));
        for flood in [Flood::Unbounded, Flood::Elsewhere] {
            hand.write(flood, (0..DISTINCT).map(|n| noise(n, 200)));
        }
        hand.write(Flood::LargeGarbage, (0..DISTINCT / 10).map(|n| noise(n, 300 << 10)));
        let forger = Forger::of(province.path());
        hand.write(Flood::ValidOffers, (0..DISTINCT).map(|n| forger.offer(n)));
        hand
    }

    fn file(&self, flood: Flood) -> PathBuf {
        self.dir.join(format!("{flood:?}.messages"))
    }

    fn write(&self, flood: Flood, messages: impl Iterator<Item = Vec<u8>>) {
        let framed = messages.flat_map(|m| [(m.len() as u32).to_be_bytes().to_vec(), m].concat());
        std::fs::write(self.file(flood), framed.collect::<Vec<u8>>()).expect("the messages");
    }

    /// Begins a flood of so many seconds.
    pub(crate) fn begin(&self, flood: Flood, province: &mut Province, seconds: u64) -> AtWork {
        if flood == Flood::Node {
            let until = Instant::now() + Duration::from_secs(seconds);
            let desk = province.desk("f");
            let offers = (0..OFFERS_AT_A_TIME).map(|n| tokio::spawn(offer_on(desk.clone(), n, until)));
            return AtWork::Node(offers.collect());
        }
        let child = Command::new("nice")
            .args(["-n", "19", env!("CARGO_BIN_EXE_flooder"), &self.port.to_string(), flood.subject()])
            .arg(self.file(flood))
            .args([seconds.to_string(), flood.speed().to_string()])
            .stdout(Stdio::piped())
            .spawn();
        AtWork::Raw(child.expect("the flooder starts"))
    }
}

impl AtWork {
    /// Waits for its end: messages or offers sent.
    pub(crate) async fn end(self) -> u64 {
        match self {
            AtWork::Raw(child) => {
                let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await;
                let ended = ended.expect("a thread").expect("the flooder ends");
                assert!(ended.status.success(), "the flooder failed");
                String::from_utf8_lossy(&ended.stdout).trim().parse().expect("its count")
            }
            AtWork::Node(offers) => {
                let mut sum = 0;
                for offers in offers {
                    sum += offers.await.expect("offers");
                }
                sum
            }
        }
    }
}

async fn offer_on(desk: Desk, n: usize, until: Instant) -> u64 {
    let (mut sent, start) = (0, until.elapsed().as_nanos());
    while Instant::now() < until {
        let key = format!("{n}-{start}-{:?}-{sent}", until);
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        let key = &key[key.len().saturating_sub(50)..];
        let Ok(done) = desk.submit(&format!("s-{key}"), &[b'f'; 4_000]).await else { continue };
        let level = v1::AckLevel::Received;
        let offered = desk.offer_until(&format!("o-{key}"), &done.dossier_id, "r", level, WAIT_MS).await;
        sent += u64::from(offered.is_ok());
    }
    sent
}

/// Speaks with the flooder's key.
struct Forger {
    id: AgencyId,
    signer: Signer,
}

impl Forger {
    fn of(dir: &Path) -> Self {
        let key = load(&dir.join("f/f.key")).expect("the key of f");
        Self { id: AgencyId::parse("f").expect("an id"), signer: Signer::new(key) }
    }

    fn states(&self, n: usize, body: Body) -> Arc<Statement> {
        let claim = Claim {
            agency: self.id.clone(),
            incarnation: Incarnation(0),
            index: LedgerIndex(1_000_000 + n as u64),
            head: Head { size: 1, hash: Digest([9; 32]) },
            made_at: WallMs(1_705_276_800_000),
            epoch: 1,
            officer: Some(core::Officer { id: "cb01".into(), name: "Lê Thị Giả".into() }),
        };
        let sealed = self.signer.sign_sealed(body.kind(), &WireCodec.seal(&claim, &body));
        Arc::new(Statement { claim, body, sealed })
    }

    /// A message with one offer of a dossier of its own, as an honest node would send it.
    fn offer(&self, n: usize) -> Vec<u8> {
        let salt = Digest([n as u8; 32]).0;
        let (commitment, content) = content::commit("plain/1", &[b'v'; 1_500], &salt).expect("a content");
        let intake = self.states(
            n,
            Body::Intake(core::Intake {
                code: format!("H99.9-240115-{n:04}"),
                procedure: "1.001193".into(),
                procedure_version: 1,
                channel: core::Channel::Counter,
                content: Some(commitment.clone()),
                due_at: None,
                papers: Vec::new(),
                parent: None,
            }),
        );
        let offer = self.states(
            n,
            Body::Offer(core::Offer {
                track: intake.sid(),
                prev: intake.sid(),
                hop: Hop(1),
                to: AgencyId::parse("r").expect("an id"),
                kind: core::HandOffKind::Forward,
                procedure: "1.001193".into(),
                procedure_version: 1,
                step: String::new(),
                due_at: None,
                papers: Vec::new(),
                content: Some(commitment),
                note: String::new(),
            }),
        );
        let envelope = encode_envelope(&Letter {
            statement: (&*offer).into(),
            certificate: &[(&*intake).into()],
            content: Some(&content),
            trace: None,
        });
        let mut pack = PackBuilder::new();
        assert!(pack.push(&envelope), "one envelope fits");
        pack.finish().to_vec()
    }
}
