//! Rules broken on purpose, so that the simulator shows that it can see. Only rules that the simulator's own glue
//! keeps are here; rules of the core are broken by hand, on a copy.

/// A rule left out of the glue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutant {
    /// None: the product as it is.
    #[default]
    None,
    /// Envelopes leave before their batch is durable. The direct checks of I6 are off, so that the consequence is seen.
    SpeakEarly,
    /// A message is acknowledged to the courier before its effect is durable.
    AckEarly,
    /// A command that is repeated under its key is taken for a new one.
    ForgetKeys,
    /// What the courier took once is never sent again: freed at level L0.
    FreeOnPubAck,
    /// A node that comes back from an old copy goes on as if nothing had been.
    RestoreInSilence,
}

impl Mutant {
    /// Every rule that can be broken, with its name on the command line.
    pub const ALL: [(&'static str, Mutant); 5] = [
        ("speak-early", Mutant::SpeakEarly),
        ("ack-early", Mutant::AckEarly),
        ("forget-keys", Mutant::ForgetKeys),
        ("free-on-puback", Mutant::FreeOnPubAck),
        ("restore-in-silence", Mutant::RestoreInSilence),
    ];
}
