//! A map in pages, for what is large, changes all the time, and is cloned for snapshots: a clone shares the pages, and one is
//! copied when it is changed while a clone has it. So a snapshot stops nobody for the time of copying a hundred thousand rows.

use crate::ids::{AgencyId, Digest, LedgerIndex, Spread};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Bound;

/// A key that tells its page. Whatever orders the keys orders their pages too.
pub trait Paged: Ord + Clone {
    /// The number of the page.
    fn page(&self) -> u64;
}

impl Paged for Digest {
    /// 4,096 pages: with 100,000 rows some 25 on each, which is what a change copies at most.
    fn page(&self) -> u64 {
        self.spread() >> (64 - 12)
    }
}

impl Paged for (LedgerIndex, AgencyId) {
    /// Rows of neighbours in the ledger, so many that few of them left over still fill a node of the map.
    fn page(&self) -> u64 {
        self.0.0 >> 10
    }
}

/// The map.
#[derive(Clone)]
pub struct Pages<K, V> {
    /// In the order of their numbers.
    pages: Vec<(u64, Arc<BTreeMap<K, V>>)>,
    count: usize,
}

impl<K, V> Default for Pages<K, V> {
    fn default() -> Self {
        Self { pages: Vec::new(), count: 0 }
    }
}

impl<K: Paged, V: Clone> Pages<K, V> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where a page is, or would be. Mostly there are all from the first on.
    fn find(&self, number: u64) -> Result<usize, usize> {
        let Some((first, _)) = self.pages.first() else { return Err(0) };
        let guess = number.checked_sub(*first).and_then(|at| usize::try_from(at).ok());
        match guess.filter(|at| self.pages.get(*at).is_some_and(|(there, _)| *there == number)) {
            Some(at) => Ok(at),
            None => self.pages.binary_search_by_key(&number, |(there, _)| *there),
        }
    }

    /// A row.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(key.page()).ok().and_then(|at| self.pages[at].1.get(key))
    }

    /// Whether there is such a row.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// A row, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key.page()).ok()?;
        let page = &mut self.pages[at].1;
        // What is not there copies nothing.
        if !page.contains_key(key) {
            return None;
        }
        Arc::make_mut(page).get_mut(key)
    }

    /// Puts a row in its place; the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let number = key.page();
        let at = self.find(number).unwrap_or_else(|at| {
            self.pages.insert(at, (number, Arc::default()));
            at
        });
        let before = Arc::make_mut(&mut self.pages[at].1).insert(key, value);
        self.count += usize::from(before.is_none());
        before
    }

    /// Takes a row away.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key.page()).ok()?;
        let page = &mut self.pages[at].1;
        if !page.contains_key(key) {
            return None;
        }
        let removed = Arc::make_mut(page).remove(key);
        if page.is_empty() {
            self.pages.remove(at);
        }
        self.count -= usize::from(removed.is_some());
        removed
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.pages.iter().flat_map(|(_, page)| page.iter())
    }

    /// All rows from `start` on, in order.
    pub fn range(&self, start: Bound<K>) -> impl Iterator<Item = (&K, &V)> {
        let first = match &start {
            Bound::Unbounded => 0,
            Bound::Included(key) | Bound::Excluded(key) => key.page(),
        };
        let (in_first, later) = match self.find(first) {
            Ok(at) => (Some(&self.pages[at].1), at + 1),
            Err(at) => (None, at),
        };
        let in_first =
            in_first.into_iter().flat_map(move |page| page.range((start.clone(), Bound::Unbounded)));
        in_first.chain(self.pages[later..].iter().flat_map(|(_, page)| page.iter()))
    }
}

impl<K: Paged, V: Clone> FromIterator<(K, V)> for Pages<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut pages = Self::default();
        rows.into_iter().for_each(|(key, value)| drop(pages.insert(key, value)));
        pages
    }
}

impl<K: Paged, V: Clone + PartialEq> PartialEq for Pages<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.pages == other.pages
    }
}

impl<K: Paged, V: Clone + Eq> Eq for Pages<K, V> {}

impl<K: Paged + fmt::Debug, V: Clone + fmt::Debug> fmt::Debug for Pages<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look like drawn at random, below a thousand and some pages.
    fn keys(count: u64) -> impl Iterator<Item = (LedgerIndex, AgencyId)> {
        let agency = AgencyId::parse("a").unwrap();
        (0..count).map(move |n| (LedgerIndex(n * 7_919 % 65_537), agency.clone()))
    }

    #[test]
    fn it_is_a_map() {
        let (mut pages, mut map) = (Pages::default(), BTreeMap::new());
        for (n, key) in keys(20_000).chain(keys(500)).enumerate() {
            assert_eq!(pages.insert(key.clone(), n), map.insert(key.clone(), n));
            assert_eq!(pages.get(&key), Some(&n));
        }
        for key in keys(40_000).step_by(3) {
            let set = |n: &mut usize| core::mem::replace(n, 1);
            assert_eq!(pages.get_mut(&key).map(set), map.get_mut(&key).map(set));
            assert_eq!(pages.contains_key(&key), map.contains_key(&key));
        }
        for key in keys(40_000).step_by(2) {
            assert_eq!(pages.remove(&key), map.remove(&key));
        }
        assert!(pages.iter().eq(map.iter()) && pages.len() == map.len() && !pages.is_empty());
        for key in keys(200).chain([(LedgerIndex(u64::MAX), AgencyId::lowest())]) {
            for start in [Bound::Included(key.clone()), Bound::Excluded(key.clone()), Bound::Unbounded] {
                assert!(pages.range(start.clone()).eq(map.range((start, Bound::Unbounded))));
            }
        }
        let left: Vec<_> = map.into_keys().collect();
        assert!(left.iter().all(|key| pages.remove(key).is_some()));
        assert!(pages.is_empty() && pages == Pages::default(), "no empty page is left");
    }

    #[test]
    fn a_clone_is_of_its_own_and_shares_what_is_not_changed() {
        let mut pages: Pages<_, _> = keys(10_000).map(|key| (key, 0)).collect();
        let before = pages.clone();
        let shared = |pages: &Pages<_, i32>| {
            pages.pages.iter().zip(&before.pages).filter(|(one, two)| Arc::ptr_eq(&one.1, &two.1)).count()
        };
        let all = pages.pages.len();
        let one = keys(1).next().unwrap();
        let none = (one.0, AgencyId::parse("z").unwrap());
        assert!(pages.get_mut(&none).is_none() && pages.remove(&none).is_none());
        assert_eq!(shared(&pages), all, "what is not there copies nothing");
        pages.insert(one.clone(), 1);
        assert_eq!((shared(&pages), before.get(&one), pages.get(&one)), (all - 1, Some(&0), Some(&1)));
        assert!(pages != before);
    }
}
