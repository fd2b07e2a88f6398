//! `PerformActs`: many acts over one call, each what a call of its own would be.

use super::desk::Desk;
use super::parse::Parsed;
use super::refusal::{self, Refusal};
use super::{refused_layer, texts};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_proto::v1::perform_acts_request::Act;
use lienthong_proto::v1::perform_acts_response::Answer;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tracing::Span;

/// Acts under way of one call: as many as calls of one connection. What comes beyond waits in the connection.
const UNDER_WAY: usize = 1_024;
/// Content under way of one call, in KiB: 32 of the largest. A connection of its own calls would be held back by its
/// windows.
const CONTENT_UNDER_WAY: usize = 16 << 10;

/// A stream of answers.
pub(crate) type Answers = BoxStream<'static, Result<v1::PerformActsResponse, Status>>;
type Said = Result<v1::PerformActsRequest, Status>;

/// Answers each act when it is done, until the caller has said the last one.
pub(crate) fn perform(desk: &Desk, acts: impl Stream<Item = Said> + Send + 'static) -> Answers {
    let (desk, stop, span) = (Arc::new(desk.in_turn()), desk.stop.clone(), Span::current());
    let room = Arc::new(Semaphore::new(CONTENT_UNDER_WAY));
    let until = stop.clone();
    // The node ends: what was begun is answered, and nothing more is read.
    let last = move || stop.is_cancelled().then(|| Err(Refusal::from(Reason::ShuttingDown).into()));
    let answers = acts
        .take_until(until.cancelled_owned())
        .then(move |said| with_room(room.clone(), said))
        .map(move |(said, room)| one(desk.clone(), said, room))
        .buffer_unordered(UNDER_WAY)
        .chain(stream::once(async move { last() }).filter_map(std::future::ready));
    within(span, answers).boxed()
}

/// The stream in the span of its call: entered once for all that is ready, and not for each act.
fn within<T>(span: Span, stream: impl Stream<Item = T>) -> impl Stream<Item = T> {
    let mut stream = Box::pin(stream);
    stream::poll_fn(move |cx| {
        let _entered = span.enter();
        stream.poll_next_unpin(cx)
    })
}

/// Waits until there is room for the content of an act; what has none needs none.
async fn with_room(room: Arc<Semaphore>, said: Said) -> (Said, Option<OwnedSemaphorePermit>) {
    let content = match said.as_ref().map(|said| &said.act) {
        Ok(Some(Act::Submit(submit))) => submit.content.len().div_ceil(1 << 10).min(CONTENT_UNDER_WAY),
        _ => 0,
    };
    if content == 0 {
        return (said, None);
    }
    // It is never closed, and no content needs more than there is.
    (said, room.acquire_many_owned(content as u32).await.ok())
}

async fn one(
    desk: Arc<Desk>,
    said: Said,
    _room: Option<OwnedSemaphorePermit>,
) -> Result<v1::PerformActsResponse, Status> {
    // A call that breaks, or says what is no message, is over.
    let said = said.map_err(|status| refused_layer::refused(&status).unwrap_or(status))?;
    let answer = match done(&desk, said.act).await {
        Ok(done) => Answer::Done(done),
        Err(refusal) => Answer::Refused(shape(&refusal)),
    };
    Ok(v1::PerformActsResponse { number: said.number, answer: Some(answer) })
}

async fn done(desk: &Desk, act: Option<Act>) -> Parsed<v1::Done> {
    let done = match act {
        None => return Err(Refusal::field(Reason::FieldMissing, "act")),
        Some(Act::Submit(r)) => desk.submit(r).await?.done,
        Some(Act::Offer(r)) => desk.offer(r).await?.done,
        Some(Act::Accept(r)) => desk.accept(r).await?.done,
        Some(Act::Refuse(r)) => desk.refuse(r).await?.done,
        Some(Act::Recall(r)) => desk.recall(r).await?.done,
        Some(Act::Note(r)) => desk.note(r).await?.done,
        Some(Act::Complete(r)) => desk.complete(r).await?.done,
        Some(Act::ReturnResult(r)) => desk.return_result(r).await?.done,
    };
    Ok(done.unwrap_or_default())
}

fn shape(Refusal { reason, field }: &Refusal) -> v1::Refused {
    let text = texts::of(*reason);
    let after = refusal::retry_after(*reason).map_or(0, |after| after.as_millis() as u32);
    v1::Refused {
        code: refusal::code(*reason) as u32,
        reason: reason.number() as i32,
        field: field.unwrap_or_default().to_owned(),
        message_vi: text.vi.to_owned(),
        message_en: text.en.to_owned(),
        retry_after_ms: after,
    }
}
