//! Key files: one line `lienthong-ed25519-v1 <key id> <64 hex digits>`, readable by the owner alone.

use super::signer::{EntropyError, SigningKey};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const FORMAT: &str = "lienthong-ed25519-v1";
/// Longer than any key file.
const FILE_BYTES: u64 = 256;

/// A key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Reading or writing failed.
    #[error("{action} key file {path}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Others than the owner may read or write it.
    #[error("key file {path} has mode {mode:04o}: only its owner may have access, run chmod 600 on it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not one line of the known format.
    #[error("key file {path} is not one line \"{FORMAT} <key id> <64 hex digits>\"")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// A new random key.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn generate(id: &str) -> Result<Option<SigningKey>, EntropyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(EntropyError)?;
    Ok(SigningKey::from_seed(id, &seed))
}

/// Writes a new key file with mode 0600 and makes it and its folder durable. An existing file is never overwritten.
///
/// # Errors
/// [`KeyFileError::Io`] when the file exists or cannot be written.
pub fn save(key: &SigningKey, path: &Path) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Io { action: "write", path: path.into(), source };
    let digits = Zeroizing::new(hex::encode(*key.seed()));
    let line = Zeroizing::new(format!("{FORMAT} {} {}\n", key.id(), *digits));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    // The umask can only take bits away; this also gives the owner back what a strange one took.
    file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(failed)?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed)
}

/// Reads a key file.
///
/// # Errors
/// When it cannot be read, is open to others, or is not in the format.
pub fn load(path: &Path) -> Result<SigningKey, KeyFileError> {
    let failed = |source| KeyFileError::Io { action: "read", path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.into(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES as usize + 1));
    file.take(FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    parse(&text).ok_or_else(|| KeyFileError::Malformed { path: path.into() })
}

fn parse(text: &str) -> Option<SigningKey> {
    let mut words = text.strip_suffix('\n').unwrap_or(text).split(' ');
    let (format, id, digits) = (words.next()?, words.next()?, words.next()?);
    if format != FORMAT || words.next().is_some() {
        return None;
    }
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, &mut *seed).ok()?;
    SigningKey::from_seed(id, &seed)
}
