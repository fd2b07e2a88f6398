//! The hand-off protocol in a model checker: one track, three nodes, letters that come any number of times, in any
//! order or never, NATS wiped, nodes restored from old copies. Every rule has a test that leaves it out and shows what
//! breaks, so that nobody weakens a rule unnoticed.
//!
//! The model has its own small state; that the code keeps to it is shown by tests of the code. Where they correspond:
//!
//! | model | `services/core/src` |
//! |---|---|
//! | `Disk::phase` | `custody/apply.rs`: `apply_offer`, `apply_outcome` ("a tombstone never moves the phase"), `arrive` |
//! | `receive::offer` | `custody/arrival.rs`: `offer`, `free_to_receive`, `extends`, `learn` |
//! | `receive::cancel`, tombstone | `custody/arrival.rs`: `cancel`; `custody/apply.rs`: `apply_cancel` |
//! | `receive::decided`, DECIDED ONCE | `custody/arrival.rs`: `outcome`; `custody/command.rs`: `undecided` |
//! | RECEIVED, ACK | `custody/arrival.rs`: `received`, `ack`; `custody/apply.rs`: `apply_receipt`, `apply_ack` |
//! | asking the receiver | `custody/command.rs`: `recall`, `holding` (an offered track is locked) |
//! | certificate, refusals in it | `custody/spine.rs`: `Walk`; `custody/arrival.rs`: `certified`; `Track::spine_to` |
//! | row until answered | `delivery/outbox.rs`: `Awaits`, `free`, `acked`, `received` |
//! | duplicate by state | `custody/arrival.rs`: `offer`, `take`, `Reply::Again` |
//! | own statement unknown | `custody/arrival.rs`: `nothing_forgotten` |
//! | one step is one durable write | `durable.rs`, `node.rs`: `batch`, `advance` |
//! | `recovery.rs`, FENCE and what comes back | `recovery/{asking,giving,apply}.rs`, `node/recovering.rs` |
//! | the fence at the head of `receive`, `Letter::inc` | `Memory::admits`: the claim's incarnation, or a RESUMED that vouches for the sid |
//!
//! What the searches showed beyond the text of the rules, and the code keeps to (it replays what comes back in the order of
//! the spine, which is that of the ledger wherever one agency made both):
//!
//! - A fence looks at the incarnation of the *envelope*. A surviving ACCEPT of the old incarnation is sent again, bytes
//!   unchanged, by the new one; a fence that looks at the statement stops it for ever (`fence_by_statement`).
//! - "All statements of n" is too little to give back. A decision goes back with its OFFER, whoever made that
//!   (`decisions_given_back_without_offers`), and every decided transfer with both halves
//!   (`certificates_not_given_back`): with two restores the peer's copy may be the last one.
//! - An own OFFER that comes back as half of such a pair is replayed at its own ledger place, before what came after it
//!   (`pairs_out_of_order`).
//! - What a peer receipted before it was restored counts as not receipted (`receipts_outlive_a_recovery`), and the
//!   recovered node's own receipts and acknowledgements are void too.
//! - What peers give back is read after all fences stand, those of other recovering nodes too, not as each one is set.
//! - With certificates given back whole, replay by ledger place leaves a moving tombstone nothing to break in two hops
//!   and two restores. It is kept as a second line: where certificates are missing, it is the one that orphans.
//!
//! Not in the model: lying nodes, RECLAIM, keys, several tracks, content, codes.
//!
//! What makes the searches small, and why nothing is hidden by it: a letter below a fence is dropped once no restore is
//! to come (fences only rise then); an old copy is forgotten then; where only custody is asked, RECEIVED and ACK are
//! left out (they stop resending, and what was sent stays deliverable); the longest searches ask behind a wipe only
//! whether it heals (what can be sent again was deliverable before). No symmetry is used.
//!
//! The long searches, which also find every kept way anew: `LIENTHONG_SOAK=1 cargo nextest run -p lienthong-tests
//! --test model --no-capture`.

#[path = "model/disk.rs"]
mod disk;
#[path = "model/goals.rs"]
mod goals;
#[path = "model/properties.rs"]
mod properties;
#[path = "model/receive.rs"]
mod receive;
#[path = "model/recovery.rs"]
mod recovery;
#[path = "model/rules.rs"]
mod rules;
#[path = "model/search.rs"]
mod search;
#[path = "model/words.rs"]
mod words;
#[path = "model/world.rs"]
mod world;

use properties::{HEALS, NOT_ORPHANED, ONE_ACTS};
use rules::{Rule, Rules};

const CUSTODY: Rules = Rules::whole(2).custody_only();

fn soak() -> bool {
    std::env::var_os("LIENTHONG_SOAK").is_some_and(|v| v == "1")
}

#[test]
fn two_hops_recall_wipe_and_a_restore() {
    search::holds(Rules::whole(2).wipes(1).restores(1));
}

#[test]
fn three_hops_and_a_restore() {
    search::holds(Rules::whole(3).restores(1).custody_only());
}

#[test]
fn two_hops_and_two_restores_that_may_overlap() {
    search::holds(CUSTODY.restores(2));
}

#[test]
fn soak_three_hops_wipe_and_a_restore() {
    if soak() {
        search::holds(Rules::whole(3).wipes(1).restores(1).resting());
    }
}

#[test]
fn soak_two_hops_wipe_and_two_restores() {
    if soak() {
        search::holds(Rules::whole(2).wipes(1).restores(2).resting());
    }
}

/// A tombstone that moves the phase breaks nothing by itself where the other rules of recovery hold.
#[test]
fn soak_a_moving_tombstone_alone() {
    if soak() {
        search::holds(CUSTODY.restores(2).without(&[Rule::StillTombstone]));
    }
}

/// Where certificates are not given back, it is the tombstone that orphans: with a still one the same way does not.
#[test]
fn a_still_tombstone_orphans_nobody() {
    let rules = CUSTODY.restores(2).without(&[Rule::CertificatesGivenBack]);
    let walk = search::walk(rules, include_str!("model/paths/a_tombstone_moves_the_phase.txt"));
    assert!(!walk.violated.contains(NOT_ORPHANED), "{walk:?}");
}

/// The searches see what they are meant to see (L2).
#[test]
fn not_vacuous() {
    goals::reached(Rules::whole(2).wipes(1).restores(1), &goals::ONE_RESTORE);
    goals::reached(CUSTODY.restores(2), &goals::TWO_RESTORES);
}

/// Without a rule the violation is found, at that depth, and the whole rules stop the same way.
fn found(rules: Rules, property: &'static str, steps: usize) {
    let way = search::shortest(rules, property).unwrap_or_else(|| panic!("{rules:?} violates nothing"));
    let text = search::lines(&way);
    assert_eq!(way.len(), steps, "{text}");
    stopped(rules, &text);
}

/// The same for a way that takes long to find and is kept for that.
fn kept(rules: Rules, property: &'static str, way: &str) {
    let walk = search::walk(rules, way);
    assert!(walk.impossible.is_empty() && walk.violated.contains(property), "{walk:?}");
    stopped(rules, way);
    if soak() {
        let shortest = search::shortest(rules, property).unwrap_or_default();
        assert_eq!(shortest.len(), way.lines().count(), "{}", search::lines(&shortest));
    }
}

fn stopped(rules: Rules, way: &str) {
    let walk = search::walk(rules.without(&[]), way);
    assert!(walk.violated.is_empty(), "the whole rules do not stop it: {walk:?}");
}

macro_rules! found {
    ($($name:ident: $rules:expr, without $rule:ident, $property:expr, $steps:literal;)*) => {$(
        #[test]
        fn $name() {
            found($rules.without(&[Rule::$rule]), $property, $steps);
        }
    )*};
}

macro_rules! kept {
    ($($name:ident: without [$($rule:ident),*], $property:expr;)*) => {$(
        #[test]
        fn $name() {
            let way = include_str!(concat!("model/paths/", stringify!($name), ".txt"));
            kept(CUSTODY.restores(2).without(&[$(Rule::$rule),*]), $property, way);
        }
    )*};
}

found! {
    sender_cancels_alone: Rules::whole(2), without AskingTheReceiver, ONE_ACTS, 4;
    recall_leaves_no_tombstone: Rules::whole(2), without Tombstone, ONE_ACTS, 6;
    outbox_freed_on_pub_ack: Rules::whole(2).wipes(1), without RowUntilAnswered, HEALS, 2;
    restore_without_fence: CUSTODY.restores(1), without Recovery, ONE_ACTS, 5;
    watermark_after_a_restore: Rules::whole(2).restores(1).wipes(1), without DuplicateByState, HEALS, 10;
    recovery_without_fencing: CUSTODY.restores(1), without Fence, ONE_ACTS, 6;
    fence_at_one_of_two_peers: CUSTODY.restores(1), without FenceAtEveryPeer, ONE_ACTS, 7;
    no_certificate: Rules::whole(3).restores(1).custody_only(), without Certificate, ONE_ACTS, 13;
    pairs_out_of_order: CUSTODY.restores(1), without PairsInOwnOrder, NOT_ORPHANED, 12;
    fence_by_statement: Rules::whole(2).restores(1).wipes(1), without FenceByEnvelope, HEALS, 4;
    receipts_outlive_a_recovery: Rules::whole(2).restores(1).wipes(1), without ReceiptsForgotten, HEALS, 6;
}

kept! {
    incarnation_from_disk: without [IncarnationFromPeers], ONE_ACTS;
    fences_of_others_forgotten: without [FencesOfOthers], ONE_ACTS;
    overlapping_recoveries_finish_alone: without [WaitForOverlapping], ONE_ACTS;
    refusals_missing_from_the_certificate: without [RefusalsInCertificate], ONE_ACTS;
    decisions_given_back_without_offers: without [DecisionsGivenBackInPairs], ONE_ACTS;
    certificates_not_given_back: without [CertificatesGivenBack], ONE_ACTS;
    a_tombstone_moves_the_phase: without [StillTombstone, CertificatesGivenBack], NOT_ORPHANED;
}
