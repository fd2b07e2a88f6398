//! The rules that can be left out, and how far a search goes.

/// A rule of the protocol. What the search finds without it is in `model.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A recall asks the receiver. Without it the sender takes the dossier back by itself.
    AskingTheReceiver,
    /// A recall of an offer that has not arrived leaves a decision.
    Tombstone,
    /// An outbox row lives until the answer. Without it, until the courier has the letter.
    RowUntilAnswered,
    /// A node restored from an old copy recovers before it takes part.
    Recovery,
    /// A duplicate is known by the state it would change. Without it, by the highest index seen of its maker.
    DuplicateByState,
    /// Peers fence the old incarnation before the node resumes.
    Fence,
    /// Every peer fences. Without it, one is enough.
    FenceAtEveryPeer,
    /// OFFER and CANCEL carry the certificate.
    Certificate,
    /// The new incarnation is above what any peer holds. Without it, above what the disk says.
    IncarnationFromPeers,
    /// A recovering node learns again whom it had fenced.
    FencesOfOthers,
    /// Overlapping recoveries wait for each other's fences.
    WaitForOverlapping,
    /// A tombstone never moves the phase.
    StillTombstone,
    /// The certificate holds refusals too.
    RefusalsInCertificate,
    /// When a peer has recovered, what it receipted before is sent again.
    ReceiptsForgotten,
    /// Peers give a node's decision back together with the OFFER it decides, which may be another's.
    DecisionsGivenBackInPairs,
    /// Peers give back whole certificates. Without it, the node's own statements and its OFFERs that others decided.
    CertificatesGivenBack,
    /// A fence looks at the incarnation that sends. Without it, at the one that made the statement.
    FenceByEnvelope,
    /// An own OFFER known from a pair is replayed at its own place. Without it, where its outcome is learned.
    PairsInOwnOrder,
}

/// How far a search goes and which rules it leaves out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Left out.
    pub(crate) left_out: &'static [Rule],
    /// Highest hop.
    pub(crate) hops: u8,
    /// How often a node is restored from an old copy.
    pub(crate) restores: u8,
    /// How often NATS loses everything.
    pub(crate) wipes: u8,
    /// How much of what moves no custody is searched.
    pub(crate) receipts: Receipts,
    /// What is searched behind a wipe.
    pub(crate) after_wipe: AfterWipe,
}

/// What is searched behind a wipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterWipe {
    /// Every step.
    GoesOn,
    /// Whether it heals. Custody needs no more: every letter that can be sent again was there before the wipe, so
    /// whatever happens behind one also happens without it.
    Rests,
}

/// Whether RECEIVED and ACK are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipts {
    /// They are.
    Delivered,
    /// They are not. They stop resending and never touch custody, and a letter that was sent stays deliverable:
    /// I1, I2 and I4 see nothing less. L1 cannot be asked then.
    LeftOut,
}

impl Rules {
    /// The whole protocol, to `hops` hops without faults.
    pub(crate) const fn whole(hops: u8) -> Self {
        Self {
            left_out: &[],
            hops,
            restores: 0,
            wipes: 0,
            receipts: Receipts::Delivered,
            after_wipe: AfterWipe::GoesOn,
        }
    }

    /// With that many restores.
    pub(crate) const fn restores(self, restores: u8) -> Self {
        Self { restores, ..self }
    }

    /// With that many wipes.
    pub(crate) const fn wipes(self, wipes: u8) -> Self {
        Self { wipes, ..self }
    }

    /// Custody only: no RECEIVED, no ACK.
    pub(crate) const fn custody_only(self) -> Self {
        Self { receipts: Receipts::LeftOut, ..self }
    }

    /// Behind a wipe, only whether it heals.
    pub(crate) const fn resting(self) -> Self {
        Self { after_wipe: AfterWipe::Rests, ..self }
    }

    /// Without these rules.
    pub(crate) const fn without(self, left_out: &'static [Rule]) -> Self {
        Self { left_out, ..self }
    }

    /// Whether a rule holds.
    pub(crate) fn holds(&self, rule: Rule) -> bool {
        !self.left_out.contains(&rule)
    }
}
