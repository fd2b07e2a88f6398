//! An invariant that does not hold.

use std::fmt;

/// The first invariant that a run found broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Violation {
    /// Its id in protocol.md 8, such as `I1`; `honest`, `replay`, `flip` and `panic` for what has no id there.
    pub invariant: &'static str,
    /// What is wrong, and where.
    pub what: String,
}

/// What every part of a run comes to.
pub type Sound<T = ()> = Result<T, Violation>;

/// `Ok` when it holds. What is wrong is put in words only when it is needed.
pub fn holds<W: fmt::Display>(right: bool, invariant: &'static str, what: impl FnOnce() -> W) -> Sound {
    if right { Ok(()) } else { Err(Violation { invariant, what: what().to_string() }) }
}

/// The value, or a violation where there is none.
pub fn some<T, W: fmt::Display>(
    value: Option<T>,
    invariant: &'static str,
    what: impl FnOnce() -> W,
) -> Sound<T> {
    value.ok_or_else(|| Violation { invariant, what: what().to_string() })
}
