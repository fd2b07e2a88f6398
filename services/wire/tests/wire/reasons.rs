//! The core's reasons are those of the contract, number by number and name by name.

use lienthong_core::reason::Reason;
use lienthong_proto::v1;

#[test]
fn reasons_are_those_of_the_contract() {
    for reason in Reason::ALL {
        let proto = v1::Reason::try_from(reason.number() as i32).expect("in the contract");
        let mut name = String::from("REASON");
        for c in format!("{reason:?}").chars() {
            if c.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(c.to_ascii_uppercase());
        }
        assert_eq!(proto.as_str_name(), name);
    }
    let known = (1..1_000).filter(|n| v1::Reason::try_from(*n).is_ok()).count();
    assert_eq!(known, Reason::ALL.len(), "the contract has a reason that the core lacks");
}
