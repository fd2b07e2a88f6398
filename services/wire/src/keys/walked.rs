//! Trees whose paths were walked lately: statements of one commit share the upper steps of their paths, and what was hashed
//! for one of them is compared for the next. Every step is looked at all the same: what is accepted here leads to its root.

use super::tree::{leaf, node};
use crate::limits::LEAVES;
use lienthong_core::ids::Sid;
use lru::LruCache;
use std::num::NonZeroUsize;

/// Trees kept, of 4 KiB each: the commits of a pack's offers and of their intakes, for some senders at a time.
const TREES: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
/// One more than the highest place of a node.
const PLACES: usize = 2 * LEAVES;
const _: () = assert!(PLACES <= u128::BITS as usize && LEAVES.is_power_of_two());

/// Trees by what is signed for them: root and number of leaves.
#[derive(Debug)]
pub(super) struct Walked(LruCache<[u8; 40], Box<Nodes>>);

impl Default for Walked {
    fn default() -> Self {
        Self(LruCache::new(TREES))
    }
}

impl Walked {
    /// Whether the path leads from the leaf of `sid` to the root, as [`super::tree::root_from`] would say. `tree` is that root
    /// with `count`, which is at most [`LEAVES`].
    pub(super) fn leads<'a>(
        &mut self,
        tree: &[u8; 40],
        (sid, index, count): (&Sid, u64, u64),
        path: impl Iterator<Item = &'a [u8; 32]>,
    ) -> bool {
        if count > LEAVES as u64 || index >= count {
            return false;
        }
        let leaf = (index as usize, count as usize);
        if let Some(nodes) = self.0.get_mut(tree) {
            return nodes.leads(sid, leaf, path).is_some();
        }
        let mut nodes = Box::<Nodes>::default();
        nodes.learn(ROOT, tree.first_chunk().unwrap_or(&[0; 32]));
        let leads = nodes.leads(sid, leaf, path).is_some();
        if leads {
            self.0.put(*tree, nodes);
        }
        leads
    }
}

/// The place of the root, whatever the height of the tree. The leaves stand from [`LEAVES`] on, the level above them from half
/// of that, and so on.
const ROOT: usize = 1;

/// Nodes of one tree that lead to its root. Where one is known, so is every sibling on its way up.
#[derive(Debug)]
struct Nodes {
    known: u128,
    nodes: [[u8; 32]; PLACES],
}

impl Default for Nodes {
    fn default() -> Self {
        Self { known: 0, nodes: [[0; 32]; PLACES] }
    }
}

impl Nodes {
    fn is(&self, place: usize, digest: &[u8; 32]) -> bool {
        self.known >> place & 1 == 1 && self.nodes[place] == *digest
    }

    fn learn(&mut self, place: usize, digest: &[u8; 32]) {
        self.known |= 1 << place;
        self.nodes[place] = *digest;
    }

    fn leads<'a>(
        &mut self,
        sid: &Sid,
        (index, count): (usize, usize),
        mut path: impl Iterator<Item = &'a [u8; 32]>,
    ) -> Option<()> {
        let mut walked = Vec::with_capacity(2 * LEAVES.ilog2() as usize);
        let (mut at, mut last, mut width) = (index, count - 1, LEAVES);
        let mut hash = leaf(sid).0;
        while last > 0 && !self.is(width + at, &hash) {
            walked.push((width + at, hash));
            if at % 2 == 1 || at < last {
                let step = path.next()?;
                walked.push((width + (at ^ 1), *step));
                hash = if at % 2 == 1 { node(step, &hash).0 } else { node(&hash, step).0 };
            }
            (at, last, width) = (at / 2, last / 2, width / 2);
        }
        if last == 0 && !self.is(ROOT, &hash) {
            return None;
        }
        // This node is known: so is what is above it.
        while last > 0 {
            if at % 2 == 1 || at < last {
                self.is(width + (at ^ 1), path.next()?).then_some(())?;
            }
            (at, last, width) = (at / 2, last / 2, width / 2);
        }
        if path.next().is_some() {
            return None;
        }
        walked.iter().for_each(|(place, digest)| self.learn(*place, digest));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Tree, root_from};
    use super::*;
    use lienthong_core::ids::Digest;

    fn signed(root: Digest, count: usize) -> [u8; 40] {
        crate::statement::commit_body(&root, count as u64)
    }

    fn path_of(tree: &Tree, index: usize) -> Vec<[u8; 32]> {
        tree.path(index).iter().map(|step| step.0).collect()
    }

    /// Whatever was walked before, in whatever order: it says what the whole walk says, of good paths and of each that is
    /// wrong in one step, at its end, in its place or in its leaf.
    #[test]
    fn what_was_walked_changes_no_answer() {
        for count in [1, 2, 3, 5, 6, 7, 8, 33, 63, 64] {
            let sids: Vec<Sid> = (0..count).map(|n| Digest([n as u8; 32])).collect();
            let tree = Tree::over(sids.iter().copied());
            let key = signed(tree.root(), count);
            for stride in [1, 3, 5, 7] {
                let mut walked = Walked::default();
                for index in (0..count).map(|n| n * stride % count) {
                    let good = path_of(&tree, index);
                    let mut both = |sid: &Sid, at: usize, path: &[[u8; 32]]| {
                        let whole = root_from(sid, at as u64, count as u64, path.iter());
                        let leads = walked.leads(&key, (sid, at as u64, count as u64), path.iter());
                        assert_eq!(
                            leads,
                            whole == Some(tree.root()),
                            "{at} of {count}, path of {}",
                            path.len()
                        );
                        leads
                    };
                    for known in [false, true] {
                        for step in 0..good.len() {
                            let mut bad = good.clone();
                            bad[step][31] ^= 1;
                            assert!(!both(&sids[index], index, &bad), "step {step}, known {known}");
                            assert!(!both(&sids[index], index, &good[..step]), "shorter, known {known}");
                        }
                        assert!(!both(&sids[index], index, &[&good[..], &[[0; 32]]].concat()), "longer");
                        assert!(!both(&Digest([99; 32]), index, &good), "another leaf");
                        (0..count + 2).filter(|at| *at != index).for_each(|at| {
                            both(&sids[index], at, &good);
                        });
                        assert!(both(&sids[index], index, &good));
                    }
                }
            }
        }
    }

    /// What was learnt of a tree says nothing of another root, nor of the same root with another number of leaves.
    #[test]
    fn each_tree_is_known_for_itself() {
        let sids: Vec<Sid> = (0..8).map(|n| Digest([n; 32])).collect();
        let tree = Tree::over(sids.iter().copied());
        let mut walked = Walked::default();
        let mut leads = |root, count: usize, index: usize| {
            let path = path_of(&tree, index);
            walked.leads(&signed(root, count), (&sids[index], index as u64, count as u64), path.iter())
        };
        for index in 0..8 {
            assert!(leads(tree.root(), 8, index));
            assert!(!leads(Digest([1; 32]), 8, index), "another root");
            assert!(!leads(tree.root(), 9, index), "one leaf more");
            assert!(!leads(tree.root(), 4, index) && !leads(tree.root(), 0, index), "fewer leaves");
            assert!(!leads(tree.root(), 65, index) && !leads(tree.root(), 128, index), "more than are taken");
        }
    }

    #[test]
    fn trees_are_bounded_in_number() {
        let mut walked = Walked::default();
        for n in 0..=TREES.get() as u8 {
            let sid = Digest([n; 32]);
            let tree = Tree::over([sid]);
            assert!(walked.leads(&signed(tree.root(), 1), (&sid, 0, 1), [].into_iter()));
            assert!(!walked.leads(&signed(Digest([n; 32]), 1), (&sid, 0, 1), [].into_iter()));
        }
        assert_eq!(walked.0.len(), TREES.get(), "and what leads nowhere is not kept");
    }
}
