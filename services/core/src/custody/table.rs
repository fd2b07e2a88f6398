//! A table that is only added to, for what a ledger leads to and nothing ever takes away: sorted runs, each several times
//! as long as the next, with the newest rows in a map. Rows lie side by side without gaps, and a clone, as a snapshot
//! needs it, shares all runs.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
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
    runs: Vec<Arc<[(K, V)]>>,
}

/// Rows of one run or of the map.
type Source<'t, K, V> = Peekable<Box<dyn Iterator<Item = (&'t K, &'t V)> + 't>>;

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { fresh: BTreeMap::new(), runs: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// The value that was put last under `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.fresh.get(key).or_else(|| {
            self.runs.iter().rev().find_map(|run| {
                let at = run.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
                Some(&run[at].1)
            })
        })
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
        for run in self.runs.iter().rev() {
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
        while self.runs.last().is_some_and(|last| last.len() < run.len() * LONGER) {
            let older = self.runs.pop().unwrap_or_default();
            run = merge(&older, run);
        }
        self.runs.push(run.into());
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone, V: Clone + Eq> Eq for Table<K, V> {}

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

    #[test]
    fn it_is_a_map_that_forgets_nothing() {
        let (mut table, mut map) = (Table::default(), BTreeMap::new());
        let (mut key, mut runs) = (1_u64, 0);
        for n in 0..200_000_u64 {
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = key >> 44; // of a million, so that some come again
            table.put(key, n);
            map.insert(key, n);
            assert_eq!(table.get(&key), Some(&n));
            runs = runs.max(table.runs.len());
        }
        assert!(runs > 2, "{runs} runs of several lengths");
        assert!(table.runs.is_sorted_by(|a, b| a.len() >= LONGER * b.len()));
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
