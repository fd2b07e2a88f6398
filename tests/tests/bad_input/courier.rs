//! A hand on the wire: publishes any bytes under any subject, and makes statements with another agency's key.

use bytes::Bytes;
use lienthong_core::codec::Codec;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, WallMs};
use lienthong_core::statement::{self as core, Body, Claim, Statement};
use lienthong_proto::v1;
use lienthong_tests::Province;
use lienthong_wire::content;
use lienthong_wire::envelope::{Letter, PackBuilder, encode_envelope};
use lienthong_wire::keys::{Signer, load};
use lienthong_wire::statement::WireCodec;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A client of NATS without our link between: the protocol is a few lines of text.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    pub(crate) async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("nats-server listens");
        let mut wire = Self { stream: BufReader::new(stream) };
        wire.send(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n").await;
        wire
    }

    /// Publishes, and waits until the server took it.
    pub(crate) async fn publish(&mut self, subject: &str, bytes: &[u8]) {
        self.send(format!("PUB {subject} {}\r\n", bytes.len()).as_bytes()).await;
        self.send(bytes).await;
        self.send(b"\r\nPING\r\n").await;
        let mut line = String::new();
        while line.trim_end() != "PONG" {
            line.clear();
            let read = self.stream.read_line(&mut line).await.expect("nats-server answers");
            assert!(read > 0 && !line.starts_with("-ERR"), "nats-server says {line:?}");
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.expect("nats-server takes it");
    }
}

/// An agency whose node does not run: the test speaks for it.
pub(crate) struct Forger {
    pub(crate) id: AgencyId,
    signer: Signer,
}

impl Forger {
    pub(crate) fn of(province: &Province, id: &str) -> Self {
        let key = load(&province.path().join(id).join(format!("{id}.key"))).expect("the key of the agency");
        Self { id: crate::rig::id(id), signer: Signer::new(key) }
    }

    /// A statement of this agency, signed with its key.
    pub(crate) fn states(&self, body: Body) -> Arc<Statement> {
        self.states_as(&self.id, body)
    }

    /// A statement that claims to be of `maker`, signed with the key of this one.
    pub(crate) fn states_as(&self, maker: &AgencyId, body: Body) -> Arc<Statement> {
        let claim = Claim {
            agency: maker.clone(),
            incarnation: Incarnation(1),
            index: LedgerIndex(2),
            head: Head { size: 1, hash: Digest([9; 32]) },
            made_at: WallMs(1_705_276_800_000),
            epoch: 1,
            officer: Some(core::Officer { id: "cb01".into(), name: "Lê Thị Giả".into() }),
        };
        let sealed = self.signer.sign_sealed(body.kind(), &WireCodec.seal(&claim, &body));
        Arc::new(Statement { claim, body, sealed })
    }
}

/// A dossier of the forger, taken in and offered to somebody.
pub(crate) struct Offered {
    pub(crate) intake: Arc<Statement>,
    pub(crate) offer: Arc<Statement>,
    pub(crate) content: Arc<[u8]>,
}

/// What is offered otherwise than it should be.
#[derive(Clone, Default)]
pub(crate) struct Wrong {
    pub(crate) prev: Option<Digest>,
    pub(crate) hop: Option<u32>,
    pub(crate) note: String,
}

pub(crate) fn offered(by: &Forger, number: u32, to: &str, wrong: &Wrong) -> Offered {
    let (commitment, content) =
        content::commit("plain/1", b"noi dung", &[number as u8; 32]).expect("a content");
    let intake = by.states(Body::Intake(core::Intake {
        code: format!("H99.2-240115-{number:04}"),
        procedure: "1.001193".into(),
        procedure_version: 1,
        channel: core::Channel::Counter,
        content: Some(commitment.clone()),
        due_at: None,
        papers: Vec::new(),
        parent: None,
    }));
    let offer = by.states(Body::Offer(core::Offer {
        track: intake.sid(),
        prev: wrong.prev.unwrap_or(intake.sid()),
        hop: Hop(wrong.hop.unwrap_or(1)),
        to: crate::rig::id(to),
        kind: core::HandOffKind::Forward,
        procedure: "1.001193".into(),
        procedure_version: 1,
        step: String::new(),
        due_at: None,
        papers: Vec::new(),
        content: Some(commitment),
        note: wrong.note.clone(),
    }));
    Offered { intake, offer, content }
}

impl Offered {
    /// The envelope as an honest node would send it.
    pub(crate) fn envelope(&self) -> Vec<u8> {
        envelope(&self.offer, &[&self.intake], Some(&self.content))
    }

    /// The envelope after something was done to it.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut v1::Envelope)) -> Vec<u8> {
        let mut envelope: v1::Envelope = prost::Message::decode(&self.envelope()[..]).expect("an envelope");
        change(&mut envelope);
        prost::Message::encode_to_vec(&envelope)
    }
}

/// The direct signature of an envelope's statement.
pub(crate) fn signature(envelope: &mut v1::Envelope) -> &mut v1::DirectSignature {
    let proof = envelope.statement.as_mut().and_then(|s| s.proof.as_mut()).and_then(|p| p.kind.as_mut());
    match proof {
        Some(v1::proof::Kind::Direct(direct)) => direct,
        other => panic!("no direct signature: {other:?}"),
    }
}

/// One bit of some bytes flipped.
pub(crate) fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

pub(crate) fn envelope(statement: &Statement, certificate: &[&Statement], content: Option<&[u8]>) -> Vec<u8> {
    let certificate: Vec<_> = certificate.iter().map(|s| (*s).into()).collect();
    encode_envelope(&Letter { statement: statement.into(), certificate: &certificate, content, trace: None })
}

/// Envelopes as one message.
pub(crate) fn pack(envelopes: &[&[u8]]) -> Bytes {
    let mut pack = PackBuilder::new();
    envelopes.iter().for_each(|envelope| assert!(pack.push(envelope), "the pack is full"));
    pack.finish()
}
