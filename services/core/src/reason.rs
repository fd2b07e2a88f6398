//! Why something is refused: stable numbers, the same as `lienthong.v1.Reason`.

/// A reason with its number. 1xx the request, 2xx the directory, 3xx custody, 4xx evidence, 5xx the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
#[allow(missing_docs)] // each is explained to people in node/src/grpc/texts.rs, in two languages
pub enum Reason {
    FieldMissing = 101,
    FieldTooLong = 102,
    Undecodable = 103,
    MessageTooLarge = 104,
    BadDossierCode = 105,
    BadProcedureCode = 106,
    BadId = 107,
    BadChoice = 108,
    ContentTooLarge = 109,
    TooManyItems = 110,
    BadCursor = 111,

    UnknownAgency = 201,
    AgencyNotHosted = 202,
    HandOffNotAllowed = 203,
    AgencyRetired = 204,

    DossierNotFound = 301,
    NotCustodian = 302,
    LockedByOffer = 303,
    AlreadyDecided = 304,
    NotOffered = 305,
    AlreadyRecalled = 306,
    Closed = 307,
    NotCompleted = 308,
    AlreadyCompleted = 309,
    HandOffToSelf = 310,
    TooManyHops = 311,
    TooManyNotes = 312,
    CodeInUse = 313,
    IdempotencyConflict = 314,
    CodesExhausted = 315,
    TrailTooLarge = 316,
    ContentLost = 317,

    BadSignature = 401,
    UnknownKey = 402,
    MalformedStatement = 403,
    UnknownStatementType = 404,
    SenderMismatch = 405,
    WrongReceiver = 406,
    BadCertificate = 407,
    Fork = 408,
    UnknownTransfer = 409,
    ContentMismatch = 410,
    CancelByStranger = 411,
    EnvelopeTooLarge = 412,
    OwnStatementUnknown = 413,
    Fenced = 414,
    MakerRetired = 415,
    HandlerCrashed = 420,

    Overloaded = 501,
    ShuttingDown = 502,
    StorageFailed = 503,
    Recovering = 505,
    Retired = 506,

    StorageFull = 510,
    PeerBacklog = 511,
    NotInQuarantine = 512,
}

impl Reason {
    /// Every reason, in order.
    pub const ALL: [Reason; 56] = {
        use Reason::*;
        [
            FieldMissing,
            FieldTooLong,
            Undecodable,
            MessageTooLarge,
            BadDossierCode,
            BadProcedureCode,
            BadId,
            BadChoice,
            ContentTooLarge,
            TooManyItems,
            BadCursor,
            UnknownAgency,
            AgencyNotHosted,
            HandOffNotAllowed,
            AgencyRetired,
            DossierNotFound,
            NotCustodian,
            LockedByOffer,
            AlreadyDecided,
            NotOffered,
            AlreadyRecalled,
            Closed,
            NotCompleted,
            AlreadyCompleted,
            HandOffToSelf,
            TooManyHops,
            TooManyNotes,
            CodeInUse,
            IdempotencyConflict,
            CodesExhausted,
            TrailTooLarge,
            ContentLost,
            BadSignature,
            UnknownKey,
            MalformedStatement,
            UnknownStatementType,
            SenderMismatch,
            WrongReceiver,
            BadCertificate,
            Fork,
            UnknownTransfer,
            ContentMismatch,
            CancelByStranger,
            EnvelopeTooLarge,
            OwnStatementUnknown,
            Fenced,
            MakerRetired,
            HandlerCrashed,
            Overloaded,
            ShuttingDown,
            StorageFailed,
            Recovering,
            Retired,
            StorageFull,
            PeerBacklog,
            NotInQuarantine,
        ]
    };

    /// The number.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The reason of a number, if there is one.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.number() == number)
    }
}

/// A "no": nothing was changed.
pub type Rejection = Reason;
