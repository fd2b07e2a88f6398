//! A start that fails for want of room says so first.

use super::BootError;
use lienthong_store::Space;
use lienthong_store::space::is_full;
use std::error::Error;
use std::io;

/// Puts the news that the disk is full before an error that follows from it.
pub(super) fn explain(space: &Space, error: BootError) -> BootError {
    if !follows_from_it(&error) {
        return error;
    }
    let left = space.look().map_or(0, |room| room.left);
    BootError::DiskFull { dir: space.dir.clone(), left, source: Box::new(error) }
}

/// sled tells of its errors in words only.
fn follows_from_it(error: &(dyn Error + 'static)) -> bool {
    let words = io::Error::from_raw_os_error(nix::libc::ENOSPC).to_string();
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.downcast_ref::<io::Error>().is_some_and(is_full) || cause.to_string().contains(&words) {
            return true;
        }
        next = cause.source();
    }
    false
}
