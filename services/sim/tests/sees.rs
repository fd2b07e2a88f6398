//! That the simulator can be trusted: it repeats itself, clocks change nothing, and a broken rule is found.

use lienthong_sim::clock::Clocks;
use lienthong_sim::mutant::Mutant;
use lienthong_sim::run::run;
use lienthong_sim::world::Config;

/// Enough for every mutant many times over.
const SEEDS: u64 = 500;

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 1_000_003] {
        let [one, two] = [(), ()].map(|()| run(seed, Config::default()).unwrap_or_else(|f| panic!("{f}")));
        assert_eq!(one, two);
        let other = run(seed + 1, Config::default()).unwrap_or_else(|f| panic!("{f}"));
        assert_ne!(one.fingerprint, other.fingerprint);
    }
}

/// I20: with right clocks and with clocks that are years off, jump and freeze, everybody decides the same. Without old
/// copies: what is given back is given in the order of ids, which are hashes over clocks too, and so arrives at other times.
#[test]
fn clocks_decide_nothing() {
    for seed in 2_000..2_010 {
        let calm = Config { copies: false, ..Config::default() };
        let wild = run(seed, calm).unwrap_or_else(|f| panic!("{f}"));
        let right = Config { clocks: Clocks::Right, ..calm };
        let right = run(seed, right).unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(wild.decided, right.decided, "seed {seed}");
        assert_ne!(wild.fingerprint, right.fingerprint, "seed {seed}: the clocks were wild");
    }
}

/// Seeds until a mutant is found, and by which invariant.
fn found(mutant: Mutant) -> &'static str {
    let config = Config { mutant, ..Config::default() };
    let failure = (0..SEEDS).find_map(|seed| run(seed, config).err());
    let failure = failure.unwrap_or_else(|| panic!("{mutant:?} was not found in {SEEDS} seeds"));
    println!("{mutant:?}: after {} seeds, {}", failure.seed + 1, failure.violation);
    failure.violation.invariant
}

#[test]
fn speaking_before_it_is_durable_is_found() {
    assert!(["I1", "I2", "I4", "I6", "honest"].contains(&found(Mutant::SpeakEarly)));
}

#[test]
fn acknowledging_before_it_is_durable_is_found() {
    assert_eq!(found(Mutant::AckEarly), "I7");
}

#[test]
fn doing_a_command_twice_is_found() {
    assert_eq!(found(Mutant::ForgetKeys), "I19");
}

#[test]
fn freeing_what_only_the_courier_took_is_found() {
    assert_eq!(found(Mutant::FreeOnPubAck), "L1");
}

/// protocol.md 6: without a fence the copy believes that it still has what it gave away.
#[test]
fn an_old_copy_that_goes_on_in_silence_is_found() {
    let invariant = found(Mutant::RestoreInSilence);
    assert!(["I1", "I2", "I4", "I6", "I13", "I14", "honest", "L1"].contains(&invariant), "{invariant}");
}
