//! What must hold between the entries of a directory.

use super::reader::Faults;
use super::{DirectoryFile, PublicKey};
use crate::keys::is_key_id;
use ed25519_dalek::VerifyingKey;
use lienthong_core::directory::Pattern;
use std::collections::BTreeSet;

/// Whether the key's id and point are usable.
pub(super) fn is_sound(key: &PublicKey) -> bool {
    is_key_id(&key.id) && VerifyingKey::from_bytes(&key.public).is_ok_and(|point| !point.is_weak())
}

/// Checks a file whose entries are each well formed.
pub(super) fn check(file: &DirectoryFile, faults: &mut Faults) {
    agencies(file, faults);
    keys(file, faults);
    procedures(file, faults);
    rules(file, faults);
}

fn agencies(file: &DirectoryFile, faults: &mut Faults) {
    let (mut ids, mut codes) = (BTreeSet::from([&file.authority.id]), BTreeSet::new());
    for agency in &file.agencies {
        if !ids.insert(&agency.id) {
            faults.add(format!("agency {}.id", agency.id), "stands twice");
        }
        if !codes.insert(&agency.code) {
            faults.add(format!("agency {}.code", agency.id), format!("\"{}\" stands twice", agency.code));
        }
    }
    for agency in &file.agencies {
        if let Some(parent) = agency.parent.as_ref().filter(|p| !ids.contains(p) || **p == agency.id) {
            let problem = format!("\"{parent}\" is neither another agency of this file nor its authority");
            faults.add(format!("agency {}.parent", agency.id), problem);
        }
    }
}

fn keys(file: &DirectoryFile, faults: &mut Faults) {
    let (mut ids, mut points) = (BTreeSet::new(), BTreeSet::new());
    let authority = ("authority".to_owned(), &file.authority.keys);
    let agencies = file.agencies.iter().map(|agency| (format!("agency {}", agency.id), &agency.keys));
    for (owner, keys) in std::iter::once(authority).chain(agencies) {
        for (i, key) in keys.iter().enumerate() {
            let path = format!("{owner}.keys[{i}]");
            if !is_key_id(&key.id) {
                faults.add(format!("{path}.id"), "is not 1 to 64 of A-Z, a-z, 0-9, ., _ and -");
            } else if !ids.insert(&key.id) {
                faults.add(
                    format!("{path}.id"),
                    format!("\"{}\" stands twice; key ids are unique in a directory", key.id),
                );
            }
            if !is_sound(&PublicKey { id: "-".into(), public: key.public }) {
                faults.add(format!("{path}.public"), "is no sound Ed25519 public key");
            } else if !points.insert(key.public) {
                faults.add(format!("{path}.public"), "stands twice");
            }
        }
    }
}

fn procedures(file: &DirectoryFile, faults: &mut Faults) {
    let mut codes = BTreeSet::new();
    for procedure in &file.procedures {
        if !codes.insert(&procedure.code) {
            faults.add(format!("procedure {}.code", procedure.code), "stands twice");
        }
    }
}

fn rules(file: &DirectoryFile, faults: &mut Faults) {
    for (i, rule) in file.rules.iter().enumerate() {
        for (key, pattern) in [("from", &rule.from), ("to", &rule.to)] {
            let known = match pattern {
                Pattern::Any => true,
                Pattern::Agency(id) => file.agency(id).is_some(),
                Pattern::Level(level) => file.agencies.iter().any(|agency| agency.level == *level),
            };
            if !known {
                faults.add(
                    format!("allow[{i}].{key}"),
                    format!("\"{}\" names no agency of this file", super::spell(pattern)),
                );
            }
        }
        for code in rule.procedures.iter().filter(|code| file.procedure(code).is_none()) {
            faults.add(format!("allow[{i}].procedures"), format!("\"{code}\" is no procedure of this file"));
        }
    }
}
