//! The shipped play reads, and each fault names its line.

use super::parse;
use crate::names::Names;
use crate::play::{Deed, Race, State};

const HEAD: &str = "officer a 1 \"Lan\"\nofficer a 2 \"Mai\"\nofficer b 1 \"Hồng\"\n";
const SUBMIT: &str = "08:00 a submit d procedure=1.001193 channel=counter content=x\n";

#[test]
fn the_shipped_play_reads() {
    let play = parse(include_str!("../../../../../deploy/example/buoi-sang.play")).unwrap();
    let names =
        Names::from_directory(include_str!("../../../../../deploy/example/soc-trang-2024.toml")).unwrap();
    let count = |what: fn(&Deed) -> bool| play.acts.iter().filter(|act| what(&act.deed)).count();
    assert!(count(|deed| matches!(deed, Deed::Submit { .. })) >= 30);
    assert!(count(|deed| matches!(deed, Deed::Refuse { .. })) >= 1);
    assert_eq!(count(|deed| matches!(deed, Deed::Recall { race: Race::No, .. })), 1);
    assert_eq!(count(|deed| matches!(deed, Deed::Recall { race: Race::AfterAccept, .. })), 1);
    assert!(play.acts.iter().all(|act| names.knows_agency(&act.agency)));
    assert_eq!(play.expectations.len(), count(|deed| matches!(deed, Deed::Submit { .. })));
}

#[test]
fn an_act_holds_what_the_line_says() {
    let text = format!(
        "{HEAD}{SUBMIT}# a remark\n\n08:01 a offer d to=b kind=forward step=\"Thẩm định\" papers=\"Một; Hai\" due_hours=8 by=2\n\
         expect d custodian=a state=offered to=b\n"
    );
    let play = parse(&text).unwrap();
    let act = &play.acts[1];
    assert_eq!((act.line, act.clock.as_str(), act.officer.name.as_str()), (7, "08:01", "Mai"));
    let Deed::Offer { step, papers, due_hours, .. } = &act.deed else { panic!("{act:?}") };
    assert_eq!((step.as_str(), papers.len(), *due_hours), ("Thẩm định", 2, Some(8)));
    assert_eq!(play.expectations[0].state, State::Offered("b".into()));
}

#[test]
fn each_fault_names_its_line() {
    // The faulty line is the fifth: three officers, one submit, and it.
    for (line, part) in [
        ("8:1 a note d text=x", "no time of day"),
        ("24:00 a note d text=x", "no time of day"),
        ("07:59 a note d text=x", "goes back"),
        ("08:01 c note d text=x", "no officer of c"),
        ("08:01 a note d text=x by=3", "no such officer"),
        ("08:01 a dance d", "no verb 'dance'"),
        ("08:01 a note e text=x", "e was not submitted"),
        ("08:01 a submit d procedure=1 channel=post content=x", "was submitted above"),
        ("08:01 a submit D procedure=1 channel=post content=x", "no label"),
        ("08:01 a note d", "text=... is missing"),
        ("08:01 a note d text=", "text has no value"),
        ("08:01 a note d text=x text=y", "given twice"),
        ("08:01 a note d text=x colour=red", "takes no colour"),
        ("08:01 a note d text=\"x", "not closed"),
        ("08:01 a offer d to=b kind=wild step=x", "kind is"),
        ("08:01 a offer d to=b kind=forward step=x due_hours=0", "due_hours is"),
        ("08:01 a return d channel=pigeon", "channel is"),
        ("08:01 a recall d reason=x race=after-accept", "must follow the accept"),
        ("08:01 a recall d reason=x race=before", "race is"),
        ("08:01 a", "write:"),
        ("officer a 1 \"Lan\"", "already has"),
        ("officer a", "write: officer"),
        ("expect d custodian=a state=lost", "state is"),
        ("expect d custodian=a state=offered", "to=... is missing"),
        ("expect e custodian=a state=held", "e was not submitted"),
    ] {
        let fault = parse(&format!("{HEAD}{SUBMIT}{line}\n")).unwrap_err().to_string();
        assert!(fault.contains("line 5: ") && fault.contains(part), "{line}: {fault}");
    }
}

#[test]
fn all_faults_come_together() {
    let fault = parse("08:00 x note d text=y\n\nnonsense\n").unwrap_err().to_string();
    assert!(
        fault.contains("2 fault(s)") && fault.contains("line 1:") && fault.contains("line 3:"),
        "{fault}"
    );
}
