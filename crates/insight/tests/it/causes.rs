//! What has one cause is told once, and each place can be suppressed, known and missed on its own.

use std::collections::BTreeMap;

use jiff::civil::date;
use tradewind_host::git::Git;
use tradewind_insight::baseline::Baseline;
use tradewind_insight::config::{AuditSection, SuppressSection};
use tradewind_insight::report::{Decisions, Last, Part, Told, sarif};
use tradewind_insight::{Audit, Report, Request, Selection, audit};

use crate::scratch::Scratch;

const FILES: [&str; 3] = ["scripts/a.py", "scripts/b.py", "scripts/c.py"];

const COPIED: &[u8] = b"class Bot:\n    def buy(self):\n        return 1\n\n    def buy(self):\n        return 2\n\n\nprint(Bot().buy())\n";

/// Three scripts with one mistake, copied.
fn copied(git: &Git, scratch: &mut Scratch) -> Audit {
    for path in FILES {
        scratch.write(path, COPIED);
    }
    scratch.commit("copy the script");
    audited(git, scratch)
}

fn audited(git: &Git, scratch: &Scratch) -> Audit {
    let mut request = Request::new(git.clone(), &scratch.top, date(2026, 11, 23));
    request.selection = Selection::Only(vec!["hidden-definition".to_owned()]);
    let mut audit = audit::run(&request).unwrap();
    // Of some rules only, nothing would be said of what went.
    audit.is_partial = false;
    audit
}

fn parts(told: &[Told]) -> Vec<Vec<Part>> {
    told.iter().map(|one| one.parts().collect()).collect()
}

#[test]
fn one_place_of_many_can_be_suppressed_known_and_new() {
    let git = Git::discover().unwrap();
    let mut scratch = Scratch::new(&git);
    let audit = copied(&git, &mut scratch);
    assert_eq!(audit.findings.len(), 3);
    let whole = Report::of(&audit, &Decisions::default());
    let [all] = &parts(&whole.findings)[..] else {
        panic!("{:?}", whole.findings);
    };
    let paths = |report: &Report| -> Vec<String> {
        let facts = report.findings.iter().flat_map(|one| &one.finding.evidence);
        let mut paths: Vec<_> = facts.filter_map(|fact| fact.path.clone()).collect();
        paths.sort();
        paths.dedup();
        paths
    };
    assert_eq!(paths(&whole), FILES);
    let sarif: serde_json::Value = serde_json::from_str(&sarif::write(&whole)).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        result["properties"]["joined"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(
        result["partialFingerprints"]["tradewind/v1"],
        all[0].identity.as_str()
    );

    // Suppressed is the one place, and the others keep their names.
    let section = AuditSection {
        suppress: vec![SuppressSection {
            rule: "hidden-definition".to_owned(),
            path: Some(FILES[0].to_owned()),
            reason: "it is deleted next week".to_owned(),
            until: date(2026, 12, 1),
        }],
        ..AuditSection::default()
    };
    let decisions = Decisions {
        section,
        ..Decisions::default()
    };
    let report = Report::of(&audit, &decisions);
    assert_eq!((report.suppressed.len(), report.findings.len()), (1, 1));
    assert_eq!(parts(&report.findings), [all[1..].to_vec()]);

    // A baseline knows each of them: what comes later is the one new place.
    let baseline = Baseline::of(whole.all());
    assert_eq!(baseline.findings.len(), 3);
    let findings = all.iter().map(|part| {
        let words = ("hidden-definition".to_owned(), part.title.clone());
        (part.identity.clone(), words)
    });
    let last = Last {
        when: "yesterday".to_owned(),
        findings: findings.collect::<BTreeMap<_, _>>(),
        is_cut: false,
    };
    scratch.write("scripts/d.py", COPIED);
    scratch.remove("scripts/b.py");
    scratch.commit("copy it again");
    let decisions = Decisions {
        baseline: Some(&baseline),
        last: Some(&last),
        ..Decisions::default()
    };
    let report = Report::of(&audited(&git, &scratch), &decisions);
    assert_eq!(paths(&report), ["scripts/d.py"]);
    assert_eq!(report.known.len(), 2);
    let since = report.since.unwrap();
    assert_eq!((since.came, since.went.len()), (1, 1));
}
