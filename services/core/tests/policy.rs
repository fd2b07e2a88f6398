//! Who may hand what to whom, as a table; and the token that lets words out. Both are asked before custody can move.

use lienthong_core::directory::{Agency, Directory, Pattern, Rule};
use lienthong_core::durable::Durable;
use lienthong_core::ids::{AgencyId, Digest, Head};

fn id(name: &str) -> AgencyId {
    AgencyId::parse(name).unwrap()
}

/// Two communes, a province and a ministry.
fn directory(rules: Vec<Rule>) -> Directory {
    let levels = [("xa-1", "commune"), ("xa-2", "commune"), ("tinh", "province"), ("bo", "ministry")];
    let agency = |(name, level): (&str, &str)| (id(name), Agency { level: level.into(), code: "H51".into() });
    Directory { epoch: 1, agencies: levels.map(agency).into(), rules }
}

fn rule(from: Pattern, to: Pattern, procedures: &[&str]) -> Rule {
    Rule { from, to, procedures: procedures.iter().map(|p| (*p).to_owned()).collect() }
}

/// The pairs among all that are known, and one that is not, that these rules allow for a procedure.
fn allowed(rules: Vec<Rule>, procedure: &str) -> Vec<String> {
    let directory = directory(rules);
    let names = ["xa-1", "xa-2", "tinh", "bo", "unknown"];
    let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from, to)));
    let right = pairs.filter(|(from, to)| directory.allows(&id(from), &id(to), procedure));
    right.map(|(from, to)| format!("{from} {to}")).collect()
}

#[test]
fn a_hand_off_is_allowed_when_one_rule_allows_it() {
    let level = |name: &str| Pattern::Level(name.into());
    let agency = |name: &str| Pattern::Agency(id(name));
    assert!(allowed(vec![], "p").is_empty());
    assert_eq!(allowed(vec![rule(Pattern::Any, Pattern::Any, &[])], "p").len(), 16, "nobody unknown");
    assert_eq!(allowed(vec![rule(agency("xa-1"), agency("tinh"), &[])], "p"), ["xa-1 tinh"]);
    let up = vec![rule(level("commune"), level("province"), &["p", "q"])];
    assert_eq!(allowed(up.clone(), "p"), ["xa-1 tinh", "xa-2 tinh"]);
    assert_eq!(allowed(up.clone(), "q"), ["xa-1 tinh", "xa-2 tinh"]);
    assert!(allowed(up.clone(), "r").is_empty(), "another procedure");
    let both = [up, vec![rule(agency("tinh"), Pattern::Any, &["r"])]].concat();
    assert_eq!(allowed(both.clone(), "p"), ["xa-1 tinh", "xa-2 tinh"]);
    assert_eq!(allowed(both, "r"), ["tinh xa-1", "tinh xa-2", "tinh tinh", "tinh bo"]);
    assert!(allowed(vec![rule(agency("unknown"), Pattern::Any, &[])], "p").is_empty());
    assert!(allowed(vec![rule(level("district"), Pattern::Any, &[])], "p").is_empty());
    let directory = directory(vec![]);
    assert!(directory.knows(&id("bo")) && !directory.knows(&id("unknown")));
}

#[test]
fn a_token_speaks_for_the_ledgers_of_its_commit() {
    let head = |byte: u8| Head { size: byte.into(), hash: Digest([byte; 32]) };
    let durable = Durable::attest(vec![(id("xa-1"), head(1)), (id("tinh"), head(2))]);
    assert_eq!(durable.head(&id("xa-1")), Some(head(1)));
    assert_eq!(durable.head(&id("tinh")), Some(head(2)));
    assert_eq!(durable.head(&id("bo")), None);
}
