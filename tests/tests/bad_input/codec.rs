//! What the gRPC codec refuses before any handler sees it: it gets a clear error all the same.

use crate::refused::fault;
use crate::rig::Rig;
use lienthong_core::reason::Reason;
use lienthong_proto::DESCRIPTORS;
use prost::Message;
use prost::bytes::{BufMut, Bytes, BytesMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

/// Bytes of a body, sent in frames as a client of HTTP/2 would.
struct Raw(Bytes);

impl http_body::Body for Raw {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let rest = self.0.len().min(16 << 10);
        let part = self.0.split_to(rest);
        Poll::Ready((!part.is_empty()).then(|| Ok(http_body::Frame::data(part))))
    }
}

/// A message with gRPC's five bytes before it.
fn framed(flag: u8, length: usize, message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + message.len());
    out.put_u8(flag);
    out.put_u32(u32::try_from(length).expect("a length"));
    out.put_slice(message);
    out.freeze()
}

fn whole(message: &[u8]) -> Bytes {
    framed(0, message.len(), message)
}

/// Calls a method with a body of any bytes; `Ok` when it was done. A stream is read to what it ends with.
async fn call(channel: &mut Channel, method: &str, body: Bytes) -> Result<(), Status> {
    let request = http::Request::post(format!("http://lienthong{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Raw(body)))
        .expect("a request");
    let answer = channel.ready().await.expect("a connection").call(request).await.expect("an answer");
    let status = match Status::from_header_map(answer.headers()) {
        None if method.ends_with(STREAM) => trailers(answer.into_body()).await,
        status => status,
    };
    match status {
        Some(status) if status.code() != tonic::Code::Ok => Err(status),
        _ => Ok(()),
    }
}

/// What a body ends with.
async fn trailers(mut body: Body) -> Option<Status> {
    use http_body::Body as _;
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await?.expect("a frame");
        if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
            return Some(status);
        }
    }
}

/// The one that is sent a stream: it may be empty, and its text lies one message deeper.
const STREAM: &str = "/PerformActs";

/// Paths of every method of our services.
fn methods() -> Vec<String> {
    let set = prost_types::FileDescriptorSet::decode(DESCRIPTORS).expect("the contract");
    let services = set.file.iter().flat_map(|file| file.service.iter().map(move |s| (file.package(), s)));
    let path = |(package, service): (&str, &prost_types::ServiceDescriptorProto)| {
        let name = format!("/{package}.{}/", service.name());
        service.method.iter().map(move |m| format!("{name}{}", m.name())).collect::<Vec<_>>()
    };
    services.flat_map(path).collect()
}

/// A length-delimited field.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(value.len()).expect("a short value")], value].concat()
}

fn bodies() -> Vec<(&'static str, Bytes, Reason)> {
    use Reason as R;
    // A field cut short, a wire type that is none, field 0, a varint without an end.
    let broken: [&[u8]; 4] = [&[0x0a, 0x05, b'a'], &[0x0f], &[0x02, 0x00], &[0xff; 11]];
    let mut bodies: Vec<_> = broken.iter().map(|b| ("a broken message", whole(b), R::Undecodable)).collect();
    bodies.extend([
        ("5 MB", whole(&vec![0x7a; 5 << 20]), R::MessageTooLarge),
        ("5 MB announced", framed(0, 5 << 20, b""), R::MessageTooLarge),
        ("4 GB announced", framed(0, u32::MAX as usize, b"abc"), R::MessageTooLarge),
        ("a wrong compression flag", framed(2, 0, b""), R::Undecodable),
        ("compressed without saying how", framed(1, 3, b"abc"), R::Undecodable),
        ("a body cut short", framed(0, 9, b"abc"), R::Undecodable),
        ("a header cut short", Bytes::from_static(&[0, 0]), R::Undecodable),
        ("no message", Bytes::new(), R::Undecodable),
    ]);
    bodies
}

/// Texts that are not UTF-8: alone, overlong, a surrogate, cut short, and in the second field of an `Act`.
fn texts(method: &str) -> Vec<Bytes> {
    let bad: [&[u8]; 4] = [b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"H\xe1\xbb"];
    let asks = ["Get", "List", "Read", "Watch"].iter().any(|word| method.contains(&format!("/{word}")));
    let outer = |act: Vec<u8>| if method.ends_with(STREAM) { field(2, &act) } else { act };
    let wrap = |text: &&[u8]| if asks { field(1, text) } else { outer(field(1, &field(1, text))) };
    let mut texts: Vec<Bytes> = bad.iter().map(|text| whole(&wrap(text))).collect();
    if !asks {
        texts.push(whole(&outer(field(1, &[field(1, b"xa"), field(2, b"k\xff")].concat()))));
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_is_told_clearly() {
    let Some(mut rig) = Rig::started().await else { return };
    rig.at_rest().await;
    let before = rig.sizes().await;
    let mut channel = rig.channel("xa");
    let (methods, mut faults) = (methods(), Vec::new());
    assert_eq!(methods.len(), 24, "{methods:?}");
    for method in &methods {
        // GetStatus asks nothing and ApplyAct brings bytes, so they have no text.
        let without = ["/GetStatus", "/ApplyAct"].iter().any(|name| method.ends_with(name));
        let texts = if without { Vec::new() } else { texts(method) };
        let texts = texts.into_iter().map(|body| ("text that is not UTF-8", body, Reason::Undecodable));
        for (what, body, reason) in bodies().into_iter().chain(texts) {
            if body.is_empty() && method.ends_with(STREAM) {
                continue;
            }
            match call(&mut channel, method, body).await {
                Ok(()) => faults.push(format!("{method} with {what}: done")),
                Err(status) => {
                    faults.extend(
                        fault(&status, reason, None).map(|fault| format!("{method} with {what}: {fault}")),
                    );
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(rig.sizes().await, before);
    rig.province.stop().await;
}
