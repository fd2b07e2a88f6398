//! Three agencies with keys of fixed seeds, and statements of each kind.

use bytes::Bytes;
use lienthong_core::codec::Codec;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, TrackId, WallMs};
use lienthong_core::recovery::{Ask, Estate, Given, Known, Left, Word};
use lienthong_core::statement as core;
use lienthong_core::statement::{Body, Claim, Statement};
use lienthong_proto::v1;
use lienthong_wire::directory::{DirectoryFile, PublicKey};
use lienthong_wire::keys::{KeyRing, Signer, SigningKey};
use lienthong_wire::statement::{WireCodec, type_name};
use lienthong_wire::verify::Verifier;
use prost::Message;
use std::sync::{Arc, LazyLock};

pub(crate) const AGENCIES: [&str; 3] = ["xa-a", "huyen-b", "so-c"];

pub(crate) fn id(text: &str) -> AgencyId {
    AgencyId::parse(text).unwrap()
}

pub(crate) fn hash(byte: u8) -> Digest {
    Digest([byte; 32])
}

pub(crate) fn signer(agency: &str) -> Signer {
    let seed = [AGENCIES.iter().position(|a| *a == agency).unwrap() as u8 + 1; 32];
    Signer::new(SigningKey::from_seed(&format!("{agency}.2024"), &seed).unwrap())
}

pub(crate) fn directory() -> DirectoryFile {
    static DIRECTORY: LazyLock<DirectoryFile> = LazyLock::new(build_directory);
    DIRECTORY.clone()
}

fn build_directory() -> DirectoryFile {
    let mut text =
        String::from("version = 1\nepoch = 7\nname = 'Thử'\n[authority]\nid = 'tinh'\nname = 'Tỉnh'\n");
    for (i, agency) in AGENCIES.iter().enumerate() {
        text += &format!(
            "[[agency]]\nid = '{agency}'\ncode = 'H51.0{i}'\nname = 'Cơ quan {i}'\nlevel = 'commune'\n"
        );
    }
    text += "[[procedure]]\ncode = '1.001193'\nname = 'Đăng ký khai sinh'\n";
    text += "[[allow]]\nfrom = '*'\nto = '*'\nprocedures = ['*']\n";
    let mut file = DirectoryFile::parse(&text).unwrap();
    for agency in AGENCIES {
        let key = signer(agency).key().clone();
        assert!(file.add_key(&id(agency), PublicKey { id: key.id().into(), public: key.public() }));
    }
    file
}

pub(crate) fn verifier() -> Verifier {
    Verifier::new(Arc::new(KeyRing::of(&directory())))
}

pub(crate) fn claim(agency: &str, index: u64, head: Head) -> Claim {
    Claim {
        agency: id(agency),
        incarnation: Incarnation(1),
        index: LedgerIndex(index),
        head,
        made_at: WallMs(1_705_276_800_000),
        epoch: 7,
        officer: Some(core::Officer { id: "cb-01".into(), name: "Nguyễn Thị Bưởi".into() }),
    }
}

/// Sealed and signed by the claimed agency.
pub(crate) fn made(claim: Claim, body: Body) -> Arc<Statement> {
    let sealed = WireCodec.seal(&claim, &body);
    let sealed = signer(claim.agency.as_str()).sign_sealed(body.kind(), &sealed);
    Arc::new(Statement { claim, body, sealed })
}

pub(crate) fn simple(agency: &str, body: Body) -> Arc<Statement> {
    made(claim(agency, 3, Head { size: 2, hash: hash(9) }), body)
}

pub(crate) fn signed(statement: &Statement) -> v1::SignedStatement {
    v1::SignedStatement {
        r#type: type_name(statement.body.kind()).into(),
        body: Bytes::copy_from_slice(&statement.sealed.body),
        proof: Some(v1::Proof::decode(&statement.sealed.proof[..]).unwrap()),
    }
}

pub(crate) fn intake(content: Option<core::Commitment>) -> Body {
    Body::Intake(core::Intake {
        code: "H51.00-240115-0001".into(),
        procedure: "1.001193".into(),
        procedure_version: 1,
        channel: core::Channel::Counter,
        content,
        due_at: Some(WallMs(1_705_363_200_000)),
        papers: vec![core::PaperItem { name: "Tờ khai đăng ký khai sinh".into(), copies: 1 }],
        parent: None,
    })
}

pub(crate) fn offer(
    track: TrackId,
    prev: Digest,
    hop: u32,
    to: &str,
    content: Option<core::Commitment>,
) -> Body {
    Body::Offer(core::Offer {
        track,
        prev,
        hop: Hop(hop),
        to: id(to),
        kind: core::HandOffKind::Forward,
        procedure: "1.001193".into(),
        procedure_version: 1,
        step: "Thẩm định".into(),
        due_at: None,
        papers: vec![core::PaperItem { name: "Giấy chứng sinh".into(), copies: 2 }],
        content,
        note: "Kính chuyển".into(),
    })
}

pub(crate) fn accept(track: TrackId, tid: Digest, hop: u32) -> Body {
    Body::Accept(core::Accept { track, tid, hop: Hop(hop), note: "Đã nhận đủ".into() })
}

pub(crate) fn refuse(track: TrackId, tid: Digest, hop: u32) -> Body {
    let (cause, reason) = (core::RefusalCause::Officer, "Thiếu giấy tờ".into());
    Body::Refuse(core::Refuse { track, tid, hop: Hop(hop), cause, reason })
}

pub(crate) fn completed(track: TrackId, prev: Digest) -> Body {
    Body::Completed(core::Completed {
        track,
        prev,
        resolution: core::Resolution::Resolved,
        note: String::new(),
    })
}

pub(crate) fn returned(track: TrackId, prev: Digest) -> Body {
    Body::Returned(core::Returned { track, prev, channel: core::Channel::Post, note: String::new() })
}

pub(crate) fn received(tid: Digest, commitment: Option<Digest>) -> Body {
    Body::Received(vec![core::ReceivedItem { tid, commitment }])
}

pub(crate) fn note(track: TrackId, prev: Digest, text: &str) -> Body {
    Body::Note(core::Note { track, prev, text: text.into() })
}

pub(crate) fn cancel(track: TrackId, tid: Digest) -> Body {
    Body::Cancel(core::Cancel { track, tid, reason: "Nhầm nơi nhận".into() })
}

pub(crate) fn ack(track: TrackId, sid: Digest) -> Body {
    Body::Ack(vec![core::AckItem { track, sid }])
}

pub(crate) fn checkpoint() -> Body {
    Body::Checkpoint { purpose: "trail export".into() }
}

pub(crate) fn commitment() -> core::Commitment {
    lienthong_wire::content::commit("plain/1", b"noi dung", &[5; 32]).unwrap().0
}

/// One of each kind.
pub(crate) fn each_kind() -> Vec<Arc<Statement>> {
    let (track, prev) = (hash(1), hash(2));
    [
        intake(Some(commitment())),
        note(track, prev, "Đã gọi điện cho công dân"),
        offer(track, prev, 3, "huyen-b", Some(commitment())),
        received(prev, Some(hash(4))),
        accept(track, prev, 3),
        refuse(track, prev, 3),
        cancel(track, prev),
        ack(track, prev),
        completed(track, prev),
        returned(track, prev),
        checkpoint(),
    ]
    .map(|body| simple("xa-a", body))
    .to_vec()
}

/// Every word of a recovery, with its name.
pub(crate) fn words() -> [(&'static str, Word); 13] {
    let incarnation = Incarnation(3);
    let known = Known { track: hash(1), statements: hash(6), has_content: true };
    let (round, number, of) = (2, 1, 4);
    let ask = Ask { nonce: [9; 16], round, number, of, after: hash(8), tracks: vec![known] };
    let given = Given { nonce: [9; 16], round, number, of, more: true, track: Some(hash(1)) };
    let sought = core::AckItem { track: hash(1), sid: hash(5) };
    [
        ("fence", Word::Fence { incarnation, nonce: [7; 16] }),
        ("fenced", Word::Fenced { fence: hash(4), taken: false, held: Incarnation(5), recovering: true }),
        ("stands", Word::Stands { fence: hash(4) }),
        ("ask", Word::Ask(ask.clone())),
        ("given", Word::Given(given)),
        ("resumed", Word::Resumed { fence: hash(4), vouched: vec![hash(2), hash(3)], last: true }),
        ("hello", Word::Hello),
        ("rollback", Word::Rollback),
        ("acts", Word::Acts { known: vec![hash(2), hash(3)], asks: true }),
        ("seek", Word::Seek { agency: id("huyen-b"), acts: vec![hash(2)], items: vec![sought] }),
        ("sought", Word::Sought { seek: hash(4) }),
        ("estate", Word::Estate(Estate { acts: vec![hash(2)], ask })),
        ("left", Word::Left(Left { given, undecided: true, moved_on: true })),
    ]
}
