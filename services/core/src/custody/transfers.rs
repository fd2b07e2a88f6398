//! The transfers of one track, by tid. Nearly always there are one to three: a map's first node would have room for
//! eleven, and with a hundred thousand tracks that room is most of what they take.

use super::track::Transfer;
use crate::ids::Tid;
use alloc::vec::Vec;
use core::ops::Index;

/// In the order of their tids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfers(Vec<(Tid, Transfer)>);

impl Transfers {
    /// Adds a transfer; one that is known stays as it is.
    pub fn add(&mut self, tid: Tid, transfer: Transfer) {
        if let Err(place) = self.place(&tid) {
            self.0.reserve_exact(1);
            self.0.insert(place, (tid, transfer));
        }
    }

    /// A transfer.
    pub fn get(&self, tid: &Tid) -> Option<&Transfer> {
        self.place(tid).ok().map(|at| &self.0[at].1)
    }

    /// A transfer, to be changed.
    pub fn get_mut(&mut self, tid: &Tid) -> Option<&mut Transfer> {
        self.place(tid).ok().map(|at| &mut self.0[at].1)
    }

    /// A transfer with its tid.
    pub fn entry(&self, tid: &Tid) -> Option<(&Tid, &Transfer)> {
        self.place(tid).ok().map(|at| (&self.0[at].0, &self.0[at].1))
    }

    /// Whether there is such a transfer.
    pub fn contains_key(&self, tid: &Tid) -> bool {
        self.place(tid).is_ok()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Tid, &Transfer)> {
        self.0.iter().map(|(tid, transfer)| (tid, transfer))
    }

    /// Their tids.
    pub fn keys(&self) -> impl Iterator<Item = &Tid> {
        self.0.iter().map(|(tid, _)| tid)
    }

    /// Without their tids.
    pub fn values(&self) -> impl Iterator<Item = &Transfer> {
        self.0.iter().map(|(_, transfer)| transfer)
    }

    /// Without their tids, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Transfer> {
        self.0.iter_mut().map(|(_, transfer)| transfer)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, tid: &Tid) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(tid))
    }
}

impl Index<&Tid> for Transfers {
    type Output = Transfer;

    fn index(&self, tid: &Tid) -> &Transfer {
        self.get(tid).expect("a transfer of this track")
    }
}
