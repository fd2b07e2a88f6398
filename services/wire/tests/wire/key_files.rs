//! Key files: what is written is read back, nobody else may read it, nothing is overwritten.

use lienthong_core::statement::Kind;
use lienthong_wire::keys::{KeyFileError, Signer, SigningKey, generate, load, save};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn keys_survive_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    let key = generate("xa-a.2024").unwrap().unwrap();
    assert_ne!(key.public(), generate("xa-a.2024").unwrap().unwrap().public());
    save(&key, &path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let loaded = load(&path).unwrap();
    assert_eq!((loaded.id(), loaded.public()), (key.id(), key.public()));
    assert_eq!(Signer::new(loaded).sign(Kind::Ack, b"x"), Signer::new(key.clone()).sign(Kind::Ack, b"x"));
    assert!(matches!(save(&key, &path), Err(KeyFileError::Io { .. })), "never overwritten");
}

#[test]
fn the_format_is_one_known_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    let seed = "07".repeat(32);
    let check = |text: &str| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        load(&path).map(|key| key.public())
    };
    let good = check(&format!("lienthong-ed25519-v1 k-1 {seed}\n")).unwrap();
    assert_eq!(good, SigningKey::from_seed("k-1", &[7; 32]).unwrap().public());
    for bad in [
        String::new(),
        format!("lienthong-ed25519-v2 k-1 {seed}\n"),
        format!("lienthong-ed25519-v1 k 1 {seed}\n"),
        format!("lienthong-ed25519-v1 khóa {seed}\n"),
        format!("lienthong-ed25519-v1 k-1 {seed}00\n"),
        format!("lienthong-ed25519-v1 k-1 {seed}\n\n"),
        format!("lienthong-ed25519-v1 k-1 {}\n", "x".repeat(64)),
        "x".repeat(100_000),
    ] {
        assert!(matches!(check(&bad), Err(KeyFileError::Malformed { .. })), "{bad:.60}");
    }
}

#[test]
fn a_file_open_to_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    save(&generate("k").unwrap().unwrap(), &path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o660] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { mode: m, .. } if m == mode), "{error}");
    }
    assert!(matches!(load(&folder.path().join("none")), Err(KeyFileError::Io { .. })));
}

/// A path without a folder lies in the working folder.
#[test]
fn a_bare_name_is_a_path_too() {
    struct Gone(std::path::PathBuf);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _already_gone = fs::remove_file(&self.0);
        }
    }
    let file = Gone(format!(".bare-{}.key", std::process::id()).into());
    let key = generate("k").unwrap().unwrap();
    save(&key, &file.0).unwrap();
    assert_eq!(load(&file.0).unwrap().public(), key.public());
}
