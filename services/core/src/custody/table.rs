//! A table that is only added to, for what a ledger leads to and nothing ever takes away: sorted runs, each several times
//! as long as the next, with the newest rows in a map. Rows lie side by side without gaps, and a clone, as a snapshot
//! needs it, shares all runs. Keys are hashes, so that where one lies in a run can be guessed.

use crate::ids::Spread;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::iter::Peekable;
use core::ops::Bound;

/// Rows in the map before they become a run: a clone copies no more than these.
const FRESH: usize = 2_048;
/// A run is at least so many times as long as the next, so that there are few, and a row is moved seldom.
const LONGER: usize = 4;

/// The table.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    fresh: BTreeMap<K, V>,
    /// The longest and oldest first.
    runs: Vec<Run<K, V>>,
}

/// Rows in order, and what tells of nearly every key that is not among them without a look at them.
#[derive(Debug)]
struct Run<K, V> {
    rows: Arc<[(K, V)]>,
    sieve: Arc<[u64]>,
}

/// Keys for each word of a sieve: a byte a key, and of some thirty keys that are not there one passes.
const KEYS_A_WORD: usize = 8;

/// Guesses at where a key is in a run; with evenly spread keys each is off by about the square root of the one before.
const GUESSES: usize = 4;
/// So near, rows are looked at one after the other: some cache lines that lie together.
const NEAR: usize = 16;

/// Rows of one run or of the map.
type Source<'t, K, V> = Peekable<Box<dyn Iterator<Item = (&'t K, &'t V)> + 't>>;

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { fresh: BTreeMap::new(), runs: Vec::new() }
    }
}

impl<K: Spread + Clone, V: Clone> Table<K, V> {
    /// The value that was put last under `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.fresh.get(key).or_else(|| self.runs.iter().rev().find_map(|run| run.get(key)))
    }

    /// Adds a row, or puts another value in its place.
    pub fn put(&mut self, key: K, value: V) {
        self.fresh.insert(key, value);
        if self.fresh.len() >= FRESH {
            self.settle();
        }
    }

    /// All rows from `start` on, in order.
    pub fn range<'t>(&'t self, start: Bound<&K>) -> impl Iterator<Item = (&'t K, &'t V)> {
        let mut sources: Vec<Source<'t, K, V>> = Vec::with_capacity(self.runs.len() + 1);
        let fresh: Box<dyn Iterator<Item = _>> = Box::new(self.fresh.range((start, Bound::Unbounded)));
        sources.push(fresh.peekable());
        for Run { rows: run, .. } in self.runs.iter().rev() {
            let before = run.partition_point(|(key, _)| match start {
                Bound::Included(start) => key < start,
                Bound::Excluded(start) => key <= start,
                Bound::Unbounded => false,
            });
            let rows: Box<dyn Iterator<Item = _>> =
                Box::new(run[before..].iter().map(|(key, value)| (key, value)));
            sources.push(rows.peekable());
        }
        core::iter::from_fn(move || next_of(&mut sources))
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.range(Bound::Unbounded)
    }

    /// How many rows there are; it reads them all.
    pub fn count(&self) -> usize {
        self.iter().count()
    }

    fn settle(&mut self) {
        let mut run: Vec<(K, V)> = core::mem::take(&mut self.fresh).into_iter().collect();
        while let Some(older) = self.runs.pop_if(|last| last.rows.len() < run.len() * LONGER) {
            run = merge(&older.rows, run);
        }
        self.runs.push(Run::of(run));
    }
}

impl<K: Spread, V> Run<K, V> {
    fn of(rows: Vec<(K, V)>) -> Self {
        let mut sieve = alloc::vec![0; rows.len().div_ceil(KEYS_A_WORD)];
        for (key, _) in &rows {
            let (word, bits) = holes(key, sieve.len());
            sieve[word] |= bits;
        }
        Self { rows: rows.into(), sieve: sieve.into() }
    }

    fn get(&self, key: &K) -> Option<&V> {
        let (word, bits) = holes(key, self.sieve.len());
        if self.sieve.get(word)? & bits != bits {
            return None;
        }
        find(&self.rows, key).map(|at| &self.rows[at].1)
    }
}

impl<K, V> Clone for Run<K, V> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), sieve: self.sieve.clone() }
    }
}

/// The word of a key in a sieve of so many, and three bits of it: a Bloom filter whose look is at one place of the memory. The
/// words of a sieve are in the order of the keys, so that its bits come from the other end of the hash.
fn holes<K: Spread>(key: &K, words: usize) -> (usize, u64) {
    let hash = key.spread();
    let word = (u128::from(hash) * words as u128) >> 64;
    (word as usize, 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63))
}

impl<K: Spread + Clone, V: Clone + PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Spread + Clone, V: Clone + Eq> Eq for Table<K, V> {}

/// Where a key is in a run. It is guessed from the average distance of keys; should somebody have chosen keys that are not
/// spread, the search is by halves after some guesses.
fn find<K: Spread, V>(run: &[(K, V)], key: &K) -> Option<usize> {
    let apart = u64::MAX / (run.len() as u64).max(1);
    let mut at = ((key.spread() / apart) as usize).min(run.len().checked_sub(1)?);
    for _ in 0..GUESSES {
        let there = run[at].0.spread();
        let off = (key.spread().abs_diff(there) / apart) as usize;
        if off < NEAR / 2 {
            break;
        }
        at = if there < key.spread() { (at + off).min(run.len() - 1) } else { at.saturating_sub(off) };
    }
    match nearby(run, key, at) {
        Ok(found) => found,
        Err(Far) => run.binary_search_by(|(known, _)| known.cmp(key)).ok(),
    }
}

/// It is nowhere near.
struct Far;

/// Looks at the rows next to `at`, on the side where the key must be.
fn nearby<K: Ord, V>(run: &[(K, V)], key: &K, at: usize) -> Result<Option<usize>, Far> {
    let upwards = run[at].0 <= *key;
    for step in 0..NEAR {
        let place = if upwards { Some(at + step) } else { at.checked_sub(step) };
        let Some((place, (known, _))) = place.and_then(|place| Some((place, run.get(place)?))) else {
            return Ok(None);
        };
        match known.cmp(key) {
            Ordering::Equal => return Ok(Some(place)),
            Ordering::Less if !upwards => return Ok(None),
            Ordering::Greater if upwards => return Ok(None),
            Ordering::Less | Ordering::Greater => {}
        }
    }
    Err(Far)
}

/// The next row of several sources; of rows with one key that of the first source, which is the newest.
fn next_of<'t, K: Ord, V>(sources: &mut [Source<'t, K, V>]) -> Option<(&'t K, &'t V)> {
    let mut least: Option<&'t K> = None;
    for source in sources.iter_mut() {
        if let Some((key, _)) = source.peek()
            && least.is_none_or(|least| *key < least)
        {
            least = Some(*key);
        }
    }
    let least = least?;
    let mut found = None;
    for source in sources {
        if let Some(row) = source.next_if(|(key, _)| *key == least) {
            found = found.or(Some(row));
        }
    }
    found
}

/// Both in order; of rows with one key the newer.
fn merge<K: Ord + Clone, V: Clone>(older: &[(K, V)], newer: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut all = Vec::with_capacity(older.len() + newer.len());
    let mut older = older.iter().peekable();
    for row in newer {
        while let Some(old) = older.next_if(|(key, _)| *key < row.0) {
            all.push(old.clone());
        }
        older.next_if(|(key, _)| *key == row.0);
        all.push(row);
    }
    all.extend(older.cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Spread for u64 {
        fn spread(&self) -> u64 {
            *self
        }
    }

    /// One after the other that look like drawn at random.
    fn drawn() -> impl Iterator<Item = u64> {
        let next = |key: &u64| {
            Some(key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
        };
        core::iter::successors(Some(1), next).skip(1)
    }

    #[test]
    fn whatever_the_keys_are_each_is_found_and_no_other() {
        let evenly: Vec<u64> = drawn().take(5_000).collect();
        let at_one_place: Vec<u64> = (7_000_000..7_003_000).step_by(3).collect();
        let at_both_ends: Vec<u64> = (0..40).chain((u64::MAX - 40)..=u64::MAX).collect();
        let mixed = [&evenly[..], &at_one_place[..], &at_both_ends[..]].concat();
        for keys in [Vec::new(), Vec::from([9]), evenly, at_one_place, at_both_ends, mixed] {
            let keys: alloc::collections::BTreeSet<u64> = keys.into_iter().collect();
            let run: Vec<(u64, ())> = keys.iter().map(|key| (*key, ())).collect();
            for (place, (key, ())) in run.iter().enumerate() {
                assert_eq!(find(&run, key), Some(place));
                for other in [key.wrapping_sub(1), key.wrapping_add(1)] {
                    assert_eq!(find(&run, &other).is_some(), keys.contains(&other));
                }
            }
            assert_eq!(find(&run, &(1 << 63)), None);
        }
    }

    #[test]
    fn a_sieve_lets_every_key_through_and_few_others() {
        for length in [0, 1, 9, 5_000] {
            let (inside, others) = (drawn().take(length), drawn().skip(length).take(20_000));
            let sorted: BTreeMap<u64, ()> = inside.map(|key| (key, ())).collect();
            let run = Run::of(sorted.clone().into_iter().collect());
            assert!(sorted.keys().all(|key| run.get(key).is_some()));
            let passes = |key: &u64| {
                let (word, bits) = holes(key, run.sieve.len());
                run.sieve.get(word).is_some_and(|word| word & bits == bits)
            };
            let passed = others.filter(passes).count();
            assert!(passed <= 20_000 / 25, "{passed} of 20000 pass the sieve of {length}");
        }
    }

    #[test]
    fn it_is_a_map_that_forgets_nothing() {
        let (mut table, mut map) = (Table::default(), BTreeMap::new());
        let mut runs = 0;
        for (n, key) in (0..200_000_u64).zip(drawn()) {
            let key = key >> 44; // of a million, so that some come again
            table.put(key, n);
            map.insert(key, n);
            assert_eq!(table.get(&key), Some(&n));
            runs = runs.max(table.runs.len());
        }
        assert!(runs > 2, "{runs} runs of several lengths");
        assert!(table.runs.is_sorted_by(|a, b| a.rows.len() >= LONGER * b.rows.len()));
        assert!(table.iter().eq(map.iter()));
        assert!(map.iter().all(|(key, n)| table.get(key) == Some(n)));
        let middle = *map.keys().nth(20_000).unwrap();
        let behind = (Bound::Excluded(middle), Bound::Unbounded);
        assert!(table.range(Bound::Excluded(&middle)).eq(map.range(behind)));
        assert!(table.range(Bound::Included(&middle)).eq(map.range(middle..)));
        assert_eq!((table.get(&u64::MAX), table.count()), (None, map.len()));
        let before = table.clone();
        table.put(middle, 0);
        assert!(before != table && before.get(&middle) != table.get(&middle), "a clone is of its own");
    }
}
