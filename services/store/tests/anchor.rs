//! The anchor is read back as it was written, and one that was changed says nothing.

mod support;

use lienthong_core::ids::{Digest, Head, Incarnation};
use lienthong_store::anchor::{self, Anchor, Anchored, NAME, Read};
use support::{agency, patch, temp};

fn anchored(size: u64) -> Anchored {
    let head = Head { size, hash: Digest([size as u8; 32]) };
    Anchored { store: [7; 16], head, incarnation: Incarnation(size / 10) }
}

fn of(sizes: &[(&str, u64)]) -> Anchor {
    sizes.iter().map(|(name, size)| (agency(name), anchored(*size))).collect()
}

#[test]
fn it_is_replaced_whole() {
    let dir = temp();
    let folder = dir.path().join("data.anchor");
    assert_eq!(anchor::read(&folder).expect("a look"), Read::Missing);
    for sizes in [&[("a", 3)][..], &[("a", 40), ("xa-an-thanh-1", 0)], &[]] {
        anchor::write(&folder, &of(sizes)).expect("written");
        assert_eq!(anchor::read(&folder).expect("a look"), Read::Whole(of(sizes)));
    }
}

#[test]
fn each_changed_byte_is_seen() {
    let dir = temp();
    anchor::write(dir.path(), &of(&[("a", 3), ("b", 12)])).expect("written");
    let file = dir.path().join(NAME);
    let whole = std::fs::read(&file).expect("the file");
    for at in 0..whole.len() as u64 {
        patch(&file, at, &[whole[at as usize] ^ 1]);
        let read = anchor::read(dir.path()).expect("a look");
        assert!(matches!(read, Read::Damaged(_)), "byte {at}: {read:?}");
        patch(&file, at, &[whole[at as usize]]);
    }
    for len in 0..whole.len() - 1 {
        std::fs::write(&file, &whole[..len]).expect("cut short");
        assert!(matches!(anchor::read(dir.path()).expect("a look"), Read::Damaged(_)), "{len} bytes");
    }
}
