//! Directory files: the example province, all faults together, and back to text.

use crate::fixture::{directory, id, signer};
use lienthong_core::directory::Pattern;
use lienthong_wire::directory::{DirectoryFile, PublicKey};
use lienthong_wire::keys::KeyRing;

const EXAMPLE: &str = include_str!("../../../../deploy/example/soc-trang-2024.toml");

#[test]
fn the_example_province_is_sound() {
    let mut file = DirectoryFile::parse(EXAMPLE).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(file.agencies.iter().filter(|a| a.level == "commune").count(), 8);
    assert_eq!(file.agency(&id("huyen-cu-lao-dung")).unwrap().unit_code.as_deref(), Some("945"));
    let core = file.to_core();
    let (commune, district) = (id("xa-an-thanh-1"), id("huyen-cu-lao-dung"));
    assert!(core.allows(&commune, &district, "1.001776"));
    assert!(!core.allows(&commune, &district, "2.000815"));
    assert!(core.allows(&id("bhxh-cu-lao-dung"), &district, "9.999999"), "all procedures");
    assert_eq!(DirectoryFile::parse(&file.to_toml()), Ok(file.clone()));

    let key = signer("xa-a").key().clone();
    assert!(file.add_key(&commune, PublicKey { id: key.id().into(), public: key.public() }));
    assert!(
        !file.add_key(&district, PublicKey { id: "other".into(), public: key.public() }),
        "one key, one owner"
    );
    let completed = DirectoryFile::parse(&file.to_toml()).unwrap();
    assert_eq!(completed, file);
    assert_eq!(KeyRing::of(&completed).get(key.id()).map(|k| &k.agency), Some(&commune));
}

#[test]
fn strange_texts_survive() {
    let mut file = directory();
    file.name = "\"Tỉnh\" \\ 'x' = #".into();
    file.procedures[0].days = Some(0.5);
    file.procedures[0].basis = Some("NĐ 61/2018/NĐ-CP".into());
    assert_eq!(DirectoryFile::parse(&file.to_toml()), Ok(file));
}

#[test]
fn patterns() {
    assert_eq!(directory().rules[0].from, Pattern::Any);
    assert!(directory().rules[0].procedures.is_empty());
}

/// Each fault with the path an editor looks for, in one go.
#[test]
fn all_faults_are_told_together() {
    let weak = format!("01{}", "00".repeat(31));
    let text = "version = 1\nname = ''\nsurprise = 1\n[authority]\nid = 'tinh'\n\
         [[agency]]\nid = 'A'\ncode = 'h51'\nname = 'x'\nlevel = 'commune'\n\
         [[agency]]\nid = 'b'\ncode = 'H51.1'\nname = 'x'\nlevel = 'commune'\nparent = 'C!'\ncolour = 'red'\n\
         keys = [{ id = 'k', public = 'zz' }]\n\
         [[agency]]\nid = 'c'\ncode = 'H51.1'\nname = 7\nlevel = 'commune'\ncode_is_example = 'yes'\n\
         [[procedure]]\ncode = 'x'\nname = 'x'\ndays = -1\n\
         [[allow]]\nfrom = 'B!'\nto = '*'\nprocedures = []\n";
    let faults = DirectoryFile::parse(text).unwrap_err();
    let paths: Vec<_> = faults.0.iter().map(|f| f.path.as_str()).collect();
    for path in [
        "epoch",
        "name",
        "surprise",
        "authority.name",
        "agency[0].id",
        "agency[0].code",
        "agency[1].parent",
        "agency[1].colour",
        "agency[1].keys[0].public",
        "agency[2].name",
        "agency[2].code_is_example",
        "procedure[0].code",
        "procedure[0].days",
        "allow[0].from",
        "allow[0].procedures",
    ] {
        assert!(paths.contains(&path), "{path} is missing from {paths:?}");
    }
    assert_eq!(faults.to_string().lines().count(), faults.0.len());

    let text = format!(
        "version = 1\nepoch = 1\nname = 'x'\n[authority]\nid = 'tinh'\nname = 'x'\n\
         [[agency]]\nid = 'a'\ncode = 'H51.1'\nname = 'x'\nlevel = 'commune'\nparent = 'nobody'\n\
         keys = [{{ id = 'k', public = '{weak}' }}]\n\
         [[agency]]\nid = 'a'\ncode = 'H51.1'\nname = 'x'\nlevel = 'commune'\n\
         keys = [{{ id = 'k', public = '{good}' }}, {{ id = 'l', public = '{good}' }}]\n\
         [[allow]]\nfrom = 'level:moon'\nto = 'z'\nprocedures = ['1.001193']\n",
        good = hex::encode(signer("xa-a").key().public())
    );
    let faults = DirectoryFile::parse(&text).unwrap_err();
    assert_eq!(faults.0.len(), 9, "{faults}");
}

#[test]
fn files_that_are_none() {
    for text in ["", "version = 2", "version = 1\nversion = 1", "\u{0}", "[[agency]]"] {
        assert!(DirectoryFile::parse(text).is_err(), "{text}");
    }
    assert!(DirectoryFile::parse(&"#".repeat(9 * 1024 * 1024)).is_err());
}
