//! Tests of the wire: round trips, forgeries, limits, evidence, golden bytes.

mod acts;
mod commits;
mod directories;
mod encoded;
mod envelopes;
mod evidence;
mod fixture;
mod forgery;
mod golden;
mod journey;
mod key_files;
mod ledger;
mod limits;
mod reasons;
mod records;
mod roundtrip;
mod spine;
mod succession;
mod words;
