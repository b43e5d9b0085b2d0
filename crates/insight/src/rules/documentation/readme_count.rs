//! `readme-count`.

use std::collections::BTreeSet;

use tradewind_repo::documents::{PageKind, What};
use tradewind_repo::project::dockerfile::glob;
use tradewind_repo::python::Module;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Counts of tests on pages that do not hold.
pub(super) struct ReadmeCount;

const ABOUT: About = About {
    id: "readme-count",
    title: "Counts that do not hold",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "The number promises a confidence that is not there.",
    action: "Take the number out, or let it be generated.",
    after: &[],
};

/// Tests as the two common runners count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    unittest: u32,
    pytest: u32,
    /// Whether some are made at run time.
    is_open: bool,
}

impl Rule for ReadmeCount {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let claims: Vec<_> = context
            .documents
            .pages
            .iter()
            .filter(|page| matches!(page.kind, PageKind::Readme | PageKind::Contributing))
            .flat_map(|page| page.claims.iter().map(move |claim| (page, claim)))
            .filter_map(|(page, claim)| match claim.what {
                What::Tests(number) => Some((page, claim, number)),
                _ => None,
            })
            .collect();
        if claims.is_empty() {
            return;
        }
        let count = count(context);
        let has_others = context.tree.tracked().any(|file| {
            [
                ".test.js",
                ".test.ts",
                ".spec.js",
                ".spec.ts",
                ".test.tsx",
                "_test.go",
                ".rs",
            ]
            .iter()
            .any(|end| file.path.ends_with(end))
        });
        for (page, claim, number) in &claims {
            let number = *number;
            // Numbers beside each other that are fewer in sum are parts of the whole.
            let of_page = claims.iter().filter(|(other, ..)| other.path == page.path);
            let (parts, sum) = of_page.fold((0_usize, 0_u32), |(parts, sum), (.., part)| {
                (parts + 1, sum.saturating_add(*part))
            });
            if parts > 1 && sum <= count.pytest.max(count.unittest) {
                continue;
            }
            if count.is_open || has_others {
                findings.not_checked(format!(
                    "{}:{}: {}",
                    page.path,
                    claim.line,
                    if has_others {
                        "tests of other languages are not counted"
                    } else {
                        "some tests are made at run time"
                    }
                ));
                continue;
            }
            let is_about = claim.quote.contains(&format!("{number}+"));
            let holds = number == count.unittest
                || number == count.pytest
                || is_about && number <= count.pytest.max(count.unittest);
            if holds || count.pytest == 0 && count.unittest == 0 {
                continue;
            }
            let found = if count.unittest == count.pytest || count.unittest == 0 {
                format!("pytest collects {}", count.pytest)
            } else {
                format!(
                    "unittest runs {}, pytest collects {}",
                    count.unittest, count.pytest
                )
            };
            findings.add(
                format!("{} says {number} tests: {found}", page.path),
                vec![Evidence::at(
                    page.path.as_ref(),
                    claim.line,
                    claim.quote.as_ref(),
                )],
            );
        }
    }
}

fn count(context: &Context<'_>) -> Count {
    let patterns: Vec<&str> = context
        .project
        .settings
        .iter()
        .flat_map(|settings| {
            settings
                .file_patterns
                .iter()
                .map(|pattern| pattern.value.as_ref())
        })
        .collect();
    let patterns = if patterns.is_empty() {
        vec!["test_*.py", "*_test.py"]
    } else {
        patterns
    };
    let mut count = Count::default();
    for module in &context.code.modules {
        let is_tracked = context.tree.has(&module.path);
        let name = module.path.rsplit('/').next().unwrap_or_default();
        if !is_tracked {
            continue;
        }
        let is_pytest = patterns.iter().any(|pattern| glob(pattern, name));
        let is_unittest = name.starts_with("test");
        if is_pytest || is_unittest {
            let one = of_module(module);
            count.is_open |= one.is_open;
            count.pytest += if is_pytest { one.pytest } else { 0 };
            count.unittest += if is_unittest { one.unittest } else { 0 };
        }
    }
    count
}

/// Counts names, not definitions: a later test of the same name hides the earlier one.
fn of_module(module: &Module) -> Count {
    let (mut cases, mut plain) = (BTreeSet::new(), BTreeSet::new());
    let mut is_open = !module.errors.is_empty();
    for function in &module.functions {
        if !function.name.starts_with("test") || function.scope.is_some() {
            continue;
        }
        is_open |= function.decorators.iter().any(|name| {
            ["parametrize", "expand", "parameterized", "data", "given"]
                .iter()
                .any(|word| name.ends_with(word))
                && !name.ends_with("given")
        });
        let class = function
            .class
            .and_then(|class| module.classes.get(class as usize));
        match class {
            None => {
                plain.insert(function.qualified.as_ref());
            }
            Some(class) if class.bases.iter().any(|base| base.ends_with("TestCase")) => {
                cases.insert(function.qualified.as_ref());
            }
            Some(class) if class.bases.is_empty() && class.name.starts_with("Test") => {
                plain.insert(function.qualified.as_ref());
            }
            // Tests that are inherited run once for each heir.
            Some(_) => is_open = true,
        }
    }
    let size = |set: &BTreeSet<&str>| u32::try_from(set.len()).unwrap_or(u32::MAX);
    Count {
        unittest: size(&cases),
        pytest: size(&cases) + size(&plain),
        is_open,
    }
}
