//! Reads the body of a signed statement by its type. Nothing is verified here: the node did, and `trail verify` does.

use lienthong_core::statement::Kind;
use lienthong_proto::v1::{
    Accept, Cancel, Completed, Intake, Note, Offer, Reclaim, Refuse, Returned, SignedStatement, Succeed,
};
use lienthong_wire::statement::kind_of;
use prost::Message;

/// The body of a statement about a dossier.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Intake(Intake),
    Note(Note),
    Offer(Offer),
    Accept(Accept),
    Refuse(Refuse),
    Cancel(Cancel),
    Reclaim(Reclaim),
    Succeed(Succeed),
    Completed(Completed),
    Returned(Returned),
    /// Said by nodes to each other: received, acknowledged, attested. It moves nothing.
    Beside,
}

/// The body of a statement; none when its type is unknown here or its bytes do not fit the type.
pub(crate) fn read(statement: &SignedStatement) -> Option<Body> {
    let bytes = statement.body.clone();
    Some(match kind_of(&statement.r#type)? {
        Kind::Intake => Body::Intake(Intake::decode(bytes).ok()?),
        Kind::Note => Body::Note(Note::decode(bytes).ok()?),
        Kind::Offer => Body::Offer(Offer::decode(bytes).ok()?),
        Kind::Accept => Body::Accept(Accept::decode(bytes).ok()?),
        Kind::Refuse => Body::Refuse(Refuse::decode(bytes).ok()?),
        Kind::Cancel => Body::Cancel(Cancel::decode(bytes).ok()?),
        Kind::Reclaim => Body::Reclaim(Reclaim::decode(bytes).ok()?),
        Kind::Succeed => Body::Succeed(Succeed::decode(bytes).ok()?),
        Kind::Completed => Body::Completed(Completed::decode(bytes).ok()?),
        Kind::Returned => Body::Returned(Returned::decode(bytes).ok()?),
        Kind::Received | Kind::Ack | Kind::Checkpoint | Kind::Recovery | Kind::Retire => Body::Beside,
    })
}
