//! The scrub of a ledger that is being written, with erasures going on, sees no fault that is not there.

mod support;

use lienthong_store::verify;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{fresh, next, open, temp, with_body};

#[test]
fn a_live_ledger_is_scrubbed_without_false_alarm() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let reader = ledger.reader();
    let done = AtomicBool::new(false);
    let scrubs = std::thread::scope(|scope| {
        let scrubber = scope.spawn(|| {
            let mut scrubs = 0;
            let mut last = 0;
            while !done.load(Ordering::Acquire) || scrubs == 0 {
                let end = reader.end_position();
                let found =
                    verify::verify_until(dir.path(), Some(end), |done, total| assert!(done <= total), |_| {});
                let found = found.unwrap_or_else(|fault| panic!("scrub {scrubs} to {end}: {fault}"));
                assert!(found.records >= last, "scrub {scrubs} to {end}");
                last = found.records;
                scrubs += 1;
            }
            scrubs
        });
        let mut to_erase = None;
        for n in 0..60_u64 {
            let group = vec![with_body(next(&ledger, "a", 0, 100), 300_000), next(&ledger, "b", 0, 2000)];
            let positions = ledger.append(group).expect("an append").positions;
            if let Some(at) = to_erase.replace(positions[0]).filter(|_| n % 2 == 0) {
                ledger.erase_body(at).expect("an erasure");
            }
            if n % 5 == 0 {
                ledger.idle_mark().expect("a mark");
            }
        }
        done.store(true, Ordering::Release);
        scrubber.join().expect("the scrub")
    });
    assert!(scrubs > 0);
    drop(ledger);
    let summary = verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect("no fault");
    assert_eq!((summary.records, open(dir.path()).expect("open").2.len()), (120, 120));
}
