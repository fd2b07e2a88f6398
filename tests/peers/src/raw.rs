//! What the disk gives: one message appended to a file that is written full of zeros, and `fdatasync`.

use crate::load::PAYLOAD;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

const TIMES: usize = 1_000;
const PAGE: usize = 4 << 10;

/// The median time of one, in milliseconds.
pub(crate) fn append_and_sync(dir: &Path) -> anyhow::Result<f64> {
    let path = dir.join("raw");
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    file.write_all_at(&vec![0; TIMES * PAGE], 0)?;
    file.sync_all()?;
    let bytes = vec![0xa5; PAYLOAD];
    let mut took = Vec::with_capacity(TIMES);
    for n in 0..TIMES {
        let began = Instant::now();
        file.write_all_at(&bytes, (n * PAGE) as u64)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    std::fs::remove_file(path)?;
    took.sort_unstable();
    Ok(took[TIMES / 2].as_secs_f64() * 1e3)
}
