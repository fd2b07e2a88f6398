//! The Merkle tree over the statements of one signature (RFC 9162 section 2.1): one signature serves them all, and each
//! carries the path from its leaf to the root.
//!
//! ```text
//! leaf(sid)         = SHA-256(0x00 ‖ sid)
//! node(left, right) = SHA-256(0x01 ‖ left ‖ right)
//! ```
//!
//! A level with an odd end hands that end up unchanged, which gives the tree of the RFC.

use lienthong_core::ids::{Digest, Sid};
use sha2::{Digest as _, Sha256};

/// A tree, by levels: the leaves first, the root alone in the last.
pub(super) struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// The tree over at least one sid.
    pub(super) fn over(sids: impl IntoIterator<Item = Sid>) -> Self {
        let mut levels = vec![sids.into_iter().map(|sid| leaf(&sid)).collect::<Vec<_>>()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let pairs = below.chunks(2);
            let above = pairs.map(|pair| match pair {
                [left, right] => node(&left.0, &right.0),
                _ => pair[0],
            });
            levels.push(above.collect());
        }
        Self { levels }
    }

    /// The one digest over all.
    pub(super) fn root(&self) -> Digest {
        self.levels[self.levels.len() - 1][0]
    }

    /// The siblings from a leaf up to below the root.
    pub(super) fn path(&self, leaf: usize) -> Vec<Digest> {
        let below_root = &self.levels[..self.levels.len() - 1];
        let siblings = below_root.iter().enumerate();
        siblings.filter_map(|(height, level)| level.get((leaf >> height) ^ 1).copied()).collect()
    }
}

/// The root that a path leads to from the leaf of `sid`, the `index`-th of `count`; `None` where a tree of that size has no
/// such leaf or no path of that length from it.
pub(super) fn root_from<'a>(
    sid: &Sid,
    index: u64,
    count: u64,
    mut path: impl Iterator<Item = &'a [u8; 32]>,
) -> Option<Digest> {
    let mut last = count.checked_sub(1).filter(|last| index <= *last)?;
    let (mut at, mut hash) = (index, leaf(sid));
    while last > 0 {
        if at % 2 == 1 {
            hash = node(path.next()?, &hash.0);
        } else if at < last {
            hash = node(&hash.0, path.next()?);
        }
        (at, last) = (at / 2, last / 2);
    }
    path.next().is_none().then_some(hash)
}

pub(super) fn leaf(sid: &Sid) -> Digest {
    let mut bytes = [0; 1 + 32];
    bytes[1..].copy_from_slice(&sid.0);
    Digest(Sha256::digest(bytes).into())
}

pub(super) fn node(left: &[u8; 32], right: &[u8; 32]) -> Digest {
    let mut bytes = [1; 1 + 64];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Digest(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(sid: &Sid, index: u64, of: u64, path: &[Digest]) -> Option<Digest> {
        root_from(sid, index, of, path.iter().map(|step| &step.0))
    }

    fn sids(count: u8) -> Vec<Sid> {
        (0..count).map(|n| Digest([n; 32])).collect()
    }

    /// The definition of the RFC, which divides at the largest power of two below the size.
    fn by_definition(sids: &[Sid]) -> Digest {
        match sids {
            [one] => leaf(one),
            _ => {
                let (left, right) = sids.split_at(sids.len().next_power_of_two() / 2);
                node(&by_definition(left).0, &by_definition(right).0)
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition_and_each_path_leads_to_it() {
        for count in 1..=70 {
            let sids = sids(count);
            let tree = Tree::over(sids.iter().copied());
            assert_eq!(tree.root(), by_definition(&sids), "{count}");
            for (index, sid) in sids.iter().enumerate() {
                let path = tree.path(index);
                let root = led(sid, index as u64, u64::from(count), &path);
                assert_eq!(root, Some(tree.root()), "{index} of {count}");
            }
        }
    }

    #[test]
    fn nothing_else_leads_to_the_root() {
        for count in [1, 2, 3, 7, 8, 64] {
            let sids = sids(count);
            let tree = Tree::over(sids.iter().copied());
            let leads = |sid, index, of, path: &[Digest]| led(sid, index, of, path) == Some(tree.root());
            for (index, sid) in sids.iter().enumerate() {
                let (path, at, of) = (tree.path(index), index as u64, u64::from(count));
                assert!(!leads(&Digest([99; 32]), at, of, &path), "another leaf");
                assert!((0..70).all(|other| other == at || !leads(sid, other, of, &path)), "another place");
                assert!(!leads(sid, at, at, &path), "a tree that ends before it");
                let longer = [&path[..], &[Digest([7; 32])]].concat();
                assert!(!leads(sid, at, of, &longer), "a longer path");
                for step in 0..path.len() {
                    assert!(!leads(sid, at, of, &path[..step]), "a shorter path");
                    let mut other = path.clone();
                    other[step].0[0] ^= 1;
                    assert!(!leads(sid, at, of, &other), "another path");
                }
            }
        }
        assert_eq!(led(&Digest::ZERO, 0, 0, &[]), None, "an empty tree has no leaf");
    }
}
