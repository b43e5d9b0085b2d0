//! `live-test`: tests that ask a real service or a real database.

use std::collections::BTreeSet;

use tradewind_repo::python::{Function, Module, ScopeId, Target};

use super::network::{is_live_database, is_network};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, is_foreign};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::Source;

static ABOUT: About = About {
    id: "live-test",
    title: "Tests that reach the network or a live database",
    area: Area::Tests,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "The tests are red when the service is slow, and every run spends quota that the bot needs.",
    action: "Replay a recorded answer, and keep the live probe out of what the test runner collects.",
    after: &[],
};

/// More files than this were written in one way, and are told together.
const MAX_APART: usize = 2;

/// How many calls are followed from a test: further on, what is called depends on what is given.
const MAX_DEPTH: u8 = 1;

/// Words that tell that requests are answered by the tests themselves.
const REPLACED: &[&str] = &[
    "mock",
    "Mock",
    "monkeypatch",
    "responses",
    "respx",
    "vcr",
    "cassette",
    "httpretty",
    "aioresponses",
    "requests_mock",
    "httpserver",
    "pytest_socket",
    "patch(",
    "patch.object",
    "TestClient",
    "localhost",
    "127.0.0.1",
    "fake",
    "Fake",
    "stub",
    "Stub",
];

/// The rule.
pub struct LiveTest;

impl Rule for LiveTest {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let files = asking(context);
        // One way of writing tests is one finding, however many files have it.
        if files.len() > MAX_APART {
            let title = format!("{} test files ask live services", files.len());
            let is_suite = files.iter().any(|(path, _)| is_in_a_suite(path));
            let heads = files
                .into_iter()
                .filter_map(|(_, evidence)| evidence.into_iter().next());
            let finding = findings.add(title, heads.collect());
            if is_suite {
                finding.confidence = Confidence::Likely;
            }
            return;
        }
        for (path, evidence) in files {
            let is_suite = is_in_a_suite(path);
            let finding = grouped(findings, format!("{path} asks a live service"), evidence);
            if is_suite {
                finding.confidence = Confidence::Likely;
            }
        }
    }
}

/// Says whether a file lies in a folder of tests. Beside the program, `test_keys.py` is often a script that asks on purpose.
fn is_in_a_suite(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| {
        matches!(
            folder,
            "test" | "tests" | "testing" | "unit" | "integration"
        )
    })
}

/// Returns the test files that ask a live service, each with its places: the test, then what it calls.
pub(in crate::rules) fn asking<'a>(context: &Context<'a>) -> Vec<(&'a str, Vec<Evidence>)> {
    let mut quotes = Quotes::new(context);
    let mut files = Vec::new();
    for module in &context.code.modules {
        let path = module.path.as_ref();
        if is_foreign(path) || !super::is_collected_by_name(path) {
            continue;
        }
        let Some(text) = context.tree.text(path) else {
            continue;
        };
        if REPLACED.iter().any(|word| text.contains(word))
            || is_replaced_above(context, path)
            || is_optional(&text)
        {
            continue;
        }
        // Without a plugin pytest passes an `async` test by: it is a script.
        let runs_async = ["pytest.mark", "pytest_asyncio", "anyio", "IsolatedAsyncio"]
            .iter()
            .any(|word| text.contains(word))
            || has_async_mode(context);
        let mut evidence = Vec::new();
        for (index, function) in module.functions.iter().enumerate() {
            if !function.name.starts_with("test")
                || is_marked(function)
                || function.is_async && !runs_async
            {
                continue;
            }
            let Ok(scope) = u32::try_from(index) else {
                continue;
            };
            let Some((line, what)) = reaches(context, module, Some(scope)) else {
                continue;
            };
            if evidence.is_empty() {
                evidence.push(quotes.noted(path, function.line, &what));
            }
            evidence.push(quotes.at(path, line));
        }
        if !evidence.is_empty() {
            files.push((path, evidence));
        }
    }
    files
}

/// Whether settings of pytest tell it to run `async` tests.
fn has_async_mode(context: &Context<'_>) -> bool {
    let settings = context.project.settings.iter();
    settings
        .filter_map(|settings| context.tree.text(&settings.path))
        .any(|text| text.contains("asyncio_mode"))
}

/// Whether a `conftest.py` above a test replaces requests.
fn is_replaced_above(context: &Context<'_>, path: &str) -> bool {
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/') {
        if says_replaced(context, &format!("{above}/conftest.py")) {
            return true;
        }
        folder = above;
    }
    says_replaced(context, "conftest.py")
}

fn says_replaced(context: &Context<'_>, path: &str) -> bool {
    context
        .tree
        .text(path)
        .is_some_and(|text| REPLACED.iter().any(|word| text.contains(word)))
}

/// Whether a file says for all its tests that they are live, or skips them where a key is absent.
fn is_optional(text: &str) -> bool {
    [
        "pytestmark",
        "pytest.skip(",
        "skipTest(",
        "skipif(",
        "skipUnless(",
        "skipIf(",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Whether a test says that it is skipped, or live on purpose.
fn is_marked(function: &Function) -> bool {
    function.decorators.iter().any(|decorator| {
        [
            "skip",
            "live",
            "integration",
            "network",
            "slow",
            "e2e",
            "external",
            "online",
            "remote",
            "parametrize_live",
        ]
        .iter()
        .any(|word| decorator.contains(word))
    })
}

/// Follows calls from a function to one that sends something: the line in the test, and what it calls.
fn reaches(context: &Context<'_>, module: &Module, scope: ScopeId) -> Option<(u32, String)> {
    let code = context.code;
    if let Some(found) = sends(module, scope) {
        return Some(found);
    }
    code.calls_in(&module.path, scope).find_map(|site| {
        let mut seen = BTreeSet::new();
        let what = follows(context, site.target, 0, &mut seen)?;
        Some((site.call.line, what))
    })
}

fn sends(module: &Module, scope: ScopeId) -> Option<(u32, String)> {
    module
        .calls
        .iter()
        .filter(|call| call.scope == scope)
        .find(|call| is_network(&call.callee) || is_live_database(&call.callee))
        .map(|call| (call.line, format!("reaches {}", call.callee)))
}

/// Says whether a call stands below a condition: whether it is made depends on what a test gives.
fn is_conditional(source: Option<&Source>, line: u32) -> bool {
    let Some(source) = source else {
        return false;
    };
    source.heads(line).into_iter().any(|head| {
        let head = source.line(head).trim_start();
        ["if ", "elif ", "else:"]
            .iter()
            .any(|word| head.starts_with(word))
    })
}

/// Says whether a function may return before it comes to a line: `if not uri: return`.
fn may_end_before(source: Option<&Source>, from: Option<u32>, line: u32) -> bool {
    let (Some(source), Some(from)) = (source, from) else {
        return false;
    };
    (from + 1..line).any(|at| {
        let text = source.line(at).trim_start();
        text == "return" || text.starts_with("return ")
    })
}

fn follows(
    context: &Context<'_>,
    target: Target,
    depth: u8,
    seen: &mut BTreeSet<Target>,
) -> Option<String> {
    let code = context.code;
    let Target::Function(of, function) = target else {
        return None;
    };
    if depth > MAX_DEPTH || !seen.insert(target) || seen.len() > 500 {
        return None;
    }
    let module = code.modules.get(of)?;
    let scope = u32::try_from(function).ok();
    let source = Source::read(context, &module.path);
    if let Some((line, what)) = sends(module, scope)
        && !is_conditional(source.as_ref(), line)
        && !may_end_before(
            source.as_ref(),
            module.functions.get(function).map(|it| it.line),
            line,
        )
    {
        return Some(format!("{what} in {}:{line}", module.path));
    }
    code.calls_in(&module.path, scope)
        .filter(|site| !is_conditional(source.as_ref(), site.call.line))
        .find_map(|site| follows(context, site.target, depth + 1, seen))
}
