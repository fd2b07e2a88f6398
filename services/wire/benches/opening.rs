//! What a receiver spends on an envelope: packs of OFFERs are opened, each with its INTAKE in the certificate and 2 KiB of
//! content, all of them proved by the signature of their commit.

use lienthong_core::codec::Codec;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, WallMs};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{
    Body, Channel, Claim, Commitment, HandOffKind, Intake, Offer, Officer, Statement,
};
use lienthong_wire::content::commit;
use lienthong_wire::directory::{DirectoryFile, PublicKey};
use lienthong_wire::envelope::{Letter, PackBuilder, encode_envelope, open_envelope, open_pack};
use lienthong_wire::keys::{KeyRing, Signer, SigningKey};
use lienthong_wire::limits::LEAVES;
use lienthong_wire::statement::WireCodec;
use lienthong_wire::verify::Verifier;
use prost::bytes::Bytes;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// Envelopes of a pack, as the courier brings them under load.
const ENVELOPES: usize = 45;
/// More statements than the verifier remembers: the oldest leave it, as they do in a node that has run for a while.
const PACKS: usize = 256;
/// The median of them is printed.
const TURNS: usize = 7;
const CONTENT: usize = 2 << 10;

const DIRECTORY: &str = r#"
version = 1
epoch = 1
name = "opening"
[authority]
id = "tinh"
name = "Tỉnh"
[[agency]]
id = "ben-giao"
code = "Z01.1"
code_is_example = true
name = "Bên giao"
level = "commune"
[[agency]]
id = "ben-nhan"
code = "Z01.2"
code_is_example = true
name = "Bên nhận"
level = "district"
[[allow]]
from = "*"
to = "*"
procedures = ["*"]
"#;

fn main() {
    if std::env::args().any(|a| a == "--list") {
        return; // asked by test runners
    }
    let key = SigningKey::from_seed("ben-giao.1", &[1; 32]).expect("a good key id");
    let mut directory = DirectoryFile::parse(DIRECTORY).expect("a directory");
    let public = PublicKey { id: key.id().into(), public: key.public() };
    assert!(directory.add_key(&agency("ben-giao"), public), "the key is new");
    let keys = Arc::new(KeyRing::of(&directory));
    let packs = packs(&Signer::new(key));
    let mut turns: Vec<f64> = (0..TURNS).map(|_| turn(&keys, &packs)).collect();
    turns.sort_by(f64::total_cmp);
    println!("Opening, packs of {ENVELOPES} OFFERs with INTAKE and {CONTENT} B, {PACKS} packs, one thread");
    println!("{:.2} µs an envelope ({:.2}–{:.2})", turns[TURNS / 2], turns[0], turns[TURNS - 1]);
}

fn turn(keys: &Arc<KeyRing>, packs: &[Bytes]) -> f64 {
    let (verifier, from) = (Verifier::new(keys.clone()), agency("ben-giao"));
    let started = Instant::now();
    for pack in packs {
        let envelopes = open_pack(pack.clone()).expect("a pack");
        let open = |envelope| open_envelope(&verifier, &from, envelope).expect("it is sound");
        black_box(envelopes.into_iter().map(open).collect::<Vec<_>>());
    }
    started.elapsed().as_secs_f64() * 1e6 / (PACKS * ENVELOPES) as f64
}

fn packs(signer: &Signer) -> Vec<Bytes> {
    let count = PACKS * ENVELOPES;
    let contents: Vec<_> = (0..count).map(content).collect();
    let intakes = made(signer, (0..count).map(|n| (n, intake(n, contents[n].0.clone()))).collect());
    let offered = |n: usize| (count + n, offer(intakes[n].sid(), contents[n].0.clone()));
    let offers = made(signer, (0..count).map(offered).collect());
    let places: Vec<usize> = (0..count).collect();
    places.chunks(ENVELOPES).map(|places| pack(places, &offers, &intakes, &contents)).collect()
}

fn pack(
    places: &[usize],
    offers: &[Arc<Statement>],
    intakes: &[Arc<Statement>],
    contents: &[(Commitment, Arc<[u8]>)],
) -> Bytes {
    let mut pack = PackBuilder::new();
    for n in places {
        let letter = Letter {
            statement: (&*offers[*n]).into(),
            certificate: &[(&*intakes[*n]).into()],
            content: Some(&contents[*n].1),
            trace: None,
        };
        assert!(pack.push(&encode_envelope(&letter)), "they fit");
    }
    pack.finish()
}

/// Sealed, and signed in commits of [`LEAVES`].
fn made(signer: &Signer, bodies: Vec<(usize, Body)>) -> Vec<Arc<Statement>> {
    let record = |(index, body): (usize, Body)| {
        let claim = claim(index);
        let sealed = WireCodec.seal(&claim, &body);
        let statement = Arc::new(Statement { claim, body, sealed });
        Record::Statement(StatementRecord {
            origin: Origin::Made,
            statement,
            command: None,
            trace: None,
            content: None,
        })
    };
    let mut records: Vec<Record> = bodies.into_iter().map(record).collect();
    records.chunks_mut(LEAVES).for_each(|commit| signer.sign_records(commit));
    let statement = |record| match record {
        Record::Statement(record) => record.statement,
        _ => unreachable!("only statements were made"),
    };
    records.into_iter().map(statement).collect()
}

fn agency(text: &str) -> AgencyId {
    AgencyId::parse(text).expect("an id")
}

fn claim(index: usize) -> Claim {
    Claim {
        agency: agency("ben-giao"),
        incarnation: Incarnation(1),
        index: LedgerIndex(index as u64),
        head: Head { size: index as u64, hash: Digest([9; 32]) },
        made_at: WallMs(1_705_276_800_000),
        epoch: 1,
        officer: Some(Officer { id: "cb-01".into(), name: "Nguyễn Thị Bưởi".into() }),
    }
}

fn content(n: usize) -> (Commitment, Arc<[u8]>) {
    let mut salt = [7; 32];
    salt[..8].copy_from_slice(&(n as u64).to_be_bytes());
    commit("plain/1", &[b'x'; CONTENT], &salt).expect("it is not too large")
}

fn intake(n: usize, content: Commitment) -> Body {
    Body::Intake(Intake {
        code: format!("H51.00-240115-{n:06}"),
        procedure: "1.001193".into(),
        procedure_version: 1,
        channel: Channel::Counter,
        content: Some(content),
        due_at: Some(WallMs(1_705_363_200_000)),
        papers: Vec::new(),
        parent: None,
    })
}

fn offer(track: Digest, content: Commitment) -> Body {
    Body::Offer(Offer {
        track,
        prev: track,
        hop: Hop(1),
        to: agency("ben-nhan"),
        kind: HandOffKind::Forward,
        procedure: "1.001193".into(),
        procedure_version: 1,
        step: "Thẩm định".into(),
        due_at: None,
        papers: Vec::new(),
        content: Some(content),
        note: String::new(),
    })
}
