//! The tracks of an agency. A closed one is hardly ever asked for again, and in time nearly all are closed: it is packed,
//! and unpacked for who asks.

use super::packed;
use super::table::Table;
use super::track::Track;
use crate::ids::TrackId;
use crate::pages::Pages;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::fmt;
use core::ops::Bound;

/// All tracks by id.
#[derive(Default)]
pub struct Tracks {
    open: Pages<TrackId, Arc<Track>>,
    /// A row here that is open too was closed before, and no longer counts.
    closed: Table<TrackId, Arc<[u8]>>,
    count: usize,
    /// Changed since the last call of [`Tracks::settle`].
    touched: Vec<TrackId>,
    /// Unpacked for somebody who looked since then.
    seen: OnceCell<Box<Seen>>,
}

/// A closed track that was looked at, and the next that was.
struct Seen {
    id: TrackId,
    track: Track,
    next: OnceCell<Box<Seen>>,
}

/// A track as it is kept: cheap to clone and to compare with what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As it is.
    Open(Arc<Track>),
    /// Packed ([`packed`]).
    Closed(Arc<[u8]>),
}

impl Kept {
    /// The track itself.
    pub fn read(&self) -> Cow<'_, Track> {
        match self {
            Kept::Open(track) => Cow::Borrowed(track),
            Kept::Closed(bytes) => Cow::Owned(unpack(bytes)),
        }
    }

    /// Whether it is what it was when `other` was taken, without reading it.
    pub fn is_same(&self, other: &Kept) -> bool {
        match (self, other) {
            (Kept::Open(one), Kept::Open(two)) => Arc::ptr_eq(one, two),
            (Kept::Closed(one), Kept::Closed(two)) => Arc::ptr_eq(one, two),
            (Kept::Open(_), Kept::Closed(_)) | (Kept::Closed(_), Kept::Open(_)) => false,
        }
    }
}

impl Tracks {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Those that are not closed.
    pub fn open(&self) -> impl Iterator<Item = (&TrackId, &Track)> {
        self.open.iter().map(|(id, track)| (id, &**track))
    }

    /// How many are closed.
    pub fn closed(&self) -> usize {
        self.count - self.open.len()
    }

    /// A track. Who goes through many that may be closed takes [`Tracks::kept`]: what is unpacked here stays until something
    /// changes.
    pub fn get(&self, id: &TrackId) -> Option<&Track> {
        self.open.get(id).map(|track| &**track).or_else(|| self.look(id))
    }

    /// A closed track is unpacked once for all who look before something changes.
    fn look(&self, id: &TrackId) -> Option<&Track> {
        let bytes = self.closed.get(id)?;
        let mut place = &self.seen;
        while let Some(seen) = place.get() {
            if seen.id == *id {
                return Some(&seen.track);
            }
            place = &seen.next;
        }
        let unpacked = || Box::new(Seen { id: *id, track: unpack(bytes), next: OnceCell::new() });
        Some(&place.get_or_init(unpacked).track)
    }

    /// A track for one look: a closed one is unpacked for it alone.
    pub fn read(&self, id: &TrackId) -> Option<Cow<'_, Track>> {
        let open = self.open.get(id).map(|track| Cow::Borrowed(&**track));
        open.or_else(|| self.closed.get(id).map(|bytes| Cow::Owned(unpack(bytes))))
    }

    /// A track as it is kept.
    pub fn kept(&self, id: &TrackId) -> Option<Kept> {
        let open = self.open.get(id).map(|track| Kept::Open(track.clone()));
        open.or_else(|| self.closed.get(id).map(|bytes| Kept::Closed(bytes.clone())))
    }

    /// All, in the order of their ids, as they are kept.
    pub fn iter(&self) -> impl Iterator<Item = (&TrackId, Kept)> {
        self.range(Bound::Unbounded)
    }

    /// All from `start` on.
    pub fn range(&self, start: Bound<&TrackId>) -> impl Iterator<Item = (&TrackId, Kept)> {
        let mut open = self.open.range(start.cloned()).peekable();
        let mut closed = self.closed.range(start).peekable();
        core::iter::from_fn(move || {
            if let Some((next, _)) = open.peek() {
                let before = closed.next_if(|(id, _)| id < next);
                if before.is_none() {
                    closed.next_if(|(id, _)| id == next);
                    return open.next().map(|(id, track)| (id, Kept::Open(track.clone())));
                }
                return before.map(|(id, bytes)| (id, Kept::Closed(bytes.clone())));
            }
            closed.next().map(|(id, bytes)| (id, Kept::Closed(bytes.clone())))
        })
    }

    /// Puts a track in its place.
    pub fn insert(&mut self, id: TrackId, track: Track) {
        self.count += usize::from(self.kept(&id).is_none());
        self.open.insert(id, Arc::new(track));
        self.touched.push(id);
    }

    /// Puts one that is closed in its place, as it was packed; that it can be unpacked was tried.
    pub(crate) fn insert_closed(&mut self, id: TrackId, bytes: Arc<[u8]>) {
        self.count += usize::from(self.kept(&id).is_none());
        self.closed.put(id, bytes);
    }

    /// A track, to be changed; [`Tracks::settle`] follows.
    pub fn get_mut(&mut self, id: &TrackId) -> Option<&mut Track> {
        if !self.open.contains_key(id) {
            let bytes = self.closed.get(id)?;
            self.open.insert(*id, Arc::new(unpack(bytes)));
        }
        if self.touched.last() != Some(id) {
            self.touched.push(*id);
        }
        self.open.get_mut(id).map(Arc::make_mut)
    }

    /// Packs what is closed of what was changed, and forgets what was unpacked for those who looked.
    pub fn settle(&mut self) {
        self.seen.take();
        while let Some(id) = self.touched.pop() {
            if self.open.get(&id).is_some_and(|track| track.returned.is_some())
                && let Some(track) = self.open.remove(&id)
            {
                self.closed.put(id, packed::pack(&track).into());
            }
        }
    }
}

/// Only what was packed here, or was unpacked once when it was read, is ever kept.
fn unpack(bytes: &[u8]) -> Track {
    packed::unpack(bytes).expect("a track that was packed")
}

impl Clone for Tracks {
    fn clone(&self) -> Self {
        let (open, closed, touched) = (self.open.clone(), self.closed.clone(), self.touched.clone());
        Self { open, closed, count: self.count, touched, seen: OnceCell::new() }
    }
}

impl PartialEq for Tracks {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tracks {}

impl fmt::Debug for Tracks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::track::Phase;
    use crate::custody::transfers::Transfers;
    use crate::ids::{AgencyId, Digest, Hop, WallMs};
    use crate::statement::Channel;

    fn track(n: u8, returned: bool) -> Track {
        Track {
            origin: AgencyId::parse("a").unwrap(),
            code: alloc::format!("H51-{n}").into(),
            procedure: "1.000001".into(),
            procedure_version: 1,
            channel: Channel::Counter,
            received_at: WallMs(-1),
            due_at: Some(WallMs(i64::MAX)),
            commitment: None,
            content: None,
            phase: Phase::Held,
            hop: Hop(u32::MAX),
            entries: Vec::new(),
            transfers: Transfers::default(),
            completed: None,
            returned: returned.then_some(Digest([n; 32])),
        }
    }

    fn id(n: u8) -> TrackId {
        Digest([n; 32])
    }

    /// Those with an odd number are closed.
    fn ten() -> Tracks {
        let mut tracks = Tracks::default();
        (0..10).rev().for_each(|n| tracks.insert(id(n), track(n, n % 2 == 1)));
        tracks.settle();
        tracks
    }

    #[test]
    fn who_asks_sees_no_difference() {
        let mut tracks = ten();
        assert_eq!((tracks.len(), tracks.closed(), tracks.open().count()), (10, 5, 5));
        for n in (0..10).chain(0..10) {
            assert_eq!(tracks.get(&id(n)), Some(&track(n, n % 2 == 1)));
        }
        assert!(tracks.get(&id(10)).is_none() && tracks.get_mut(&id(10)).is_none());
        let order = |from| tracks.range(from).map(|(id, _)| id.0[0]).collect::<Vec<_>>();
        assert_eq!(order(Bound::Unbounded), (0..10).collect::<Vec<_>>());
        assert_eq!(order(Bound::Excluded(&id(4))), (5..10).collect::<Vec<_>>());
        let (before, same) = (tracks.kept(&id(3)).unwrap(), tracks.clone());
        assert!(before.is_same(&same.kept(&id(3)).unwrap()) && tracks == same);
        tracks.get_mut(&id(3)).unwrap().procedure_version = 2;
        assert_eq!((tracks.len(), tracks.closed(), tracks.iter().count()), (10, 4, 10), "unpacked");
        tracks.settle();
        assert_eq!((tracks.len(), tracks.closed(), tracks.iter().count()), (10, 5, 10), "packed again");
        assert_eq!(tracks.get(&id(3)).unwrap().procedure_version, 2);
        assert!(!before.is_same(&tracks.kept(&id(3)).unwrap()) && tracks != same);
    }

    #[test]
    fn one_that_is_open_again_counts_as_open() {
        let mut tracks = ten();
        tracks.get_mut(&id(5)).unwrap().returned = None;
        tracks.settle();
        assert_eq!((tracks.len(), tracks.closed(), tracks.open().count()), (10, 4, 6));
        assert_eq!(tracks.get(&id(5)), Some(&track(5, false)));
        assert_eq!(tracks.iter().count(), 10);
    }

    #[test]
    fn bytes_that_are_cut_or_longer_are_no_track() {
        let bytes = packed::pack(&track(1, true));
        assert_eq!(packed::unpack(&bytes), Some(track(1, true)));
        assert!((0..bytes.len()).all(|end| packed::unpack(&bytes[..end]).is_none()));
        assert!(packed::unpack(&[&bytes[..], &[0]].concat()).is_none());
    }
}
