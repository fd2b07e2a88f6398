//! `make bench`: the ledger against a raw preallocated append, and hand-offs end to end over NATS, in one run on one
//! machine. Only ratios and orders of magnitude are worth quoting: machines are noisy.

mod end_to_end;
mod ledger;

fn main() -> anyhow::Result<()> {
    if std::env::args().any(|a| a == "--list") {
        return Ok(()); // asked by test runners
    }
    let only = std::env::args().nth(1).filter(|a| !a.starts_with('-'));
    let wanted = |name: &str| only.as_deref().is_none_or(|o| o == name);
    if wanted("ledger") {
        ledger::run()?;
    }
    if wanted("end-to-end") {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(end_to_end::run())?;
    }
    Ok(())
}
