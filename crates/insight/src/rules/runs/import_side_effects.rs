//! `import-side-effects`: modules that trade, fetch, connect or wait while they are imported.

use std::collections::BTreeMap;

use tradewind_repo::python::{Call, Code, Module};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, has_end, is_foreign};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "import-side-effects",
    title: "Modules that act while they are imported",
    area: Area::Runs,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "Whoever imports it, a test for example, fetches, connects or trades; without network the import itself fails.",
    action: "Move the calls into a function, and call it under `if __name__ == \"__main__\":`.",
    after: &[],
};

/// The rule.
pub struct ImportSideEffects;

impl Rule for ImportSideEffects {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        for module in &context.code.modules {
            let path = module.path.as_ref();
            if is_foreign(path) || Code::is_test(path) || has_end(path, "ipynb") {
                continue;
            }
            let importers: BTreeMap<&str, u32> = context
                .code
                .importers_of(path)
                .filter(|(importer, import)| importer.path != module.path && !import.is_for_types)
                .map(|(importer, import)| (importer.path.as_ref(), import.line))
                .collect();
            if importers.is_empty() {
                continue;
            }
            let mut evidence: Vec<Evidence> = Vec::new();
            let mut worst = None;
            for call in &module.calls {
                if call.scope.is_some() || is_later(&mut quotes, module, call) {
                    continue;
                }
                if let Some(deed) = deed(context.code, module, call) {
                    worst = worst.max(Some(deed));
                    evidence.push(quotes.noted(path, call.line, deed.words()));
                }
            }
            let Some(worst) = worst else { continue };
            if let Some((importer, line)) = importers.iter().next() {
                evidence.push(quotes.noted(importer, *line, "imports it"));
            }
            let finding = grouped(
                findings,
                format!("{path} {} while it is imported", worst.words()),
                evidence,
            );
            if worst >= Deed::Orders {
                finding.severity = Severity::Critical;
            } else if worst == Deed::Loops {
                finding.severity = Severity::High;
            }
        }
    }
}

/// What an import does, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Waits,
    Asks,
    Connects,
    Fetches,
    Loops,
    Orders,
}

impl Deed {
    fn words(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Asks => "asks at the terminal",
            Self::Connects => "connects to a database",
            Self::Fetches => "reaches the network",
            Self::Loops => "starts its endless loop",
            Self::Orders => "trades",
        }
    }
}

/// Whether a call at the top level does not happen at import: below the main guard, or in a lambda.
fn is_later(quotes: &mut Quotes<'_>, module: &Module, call: &Call) -> bool {
    module.main_guard.is_some_and(|guard| call.line > guard)
        || quotes.line(&module.path, call.line).contains("lambda")
}

fn deed(code: &Code, module: &Module, call: &Call) -> Option<Deed> {
    direct(call).or_else(|| {
        // One step into a function here.
        code.calls_in(&module.path, None)
            .filter(|site| std::ptr::eq(site.call, call))
            .find_map(|site| {
                let tradewind_repo::python::Target::Function(of, function) = site.target else {
                    return None;
                };
                let of = code.modules.get(of)?;
                let scope = u32::try_from(function).ok();
                let function = of.functions.get(function)?;
                if function.is_generator || function.is_async {
                    return None;
                }
                of.calls
                    .iter()
                    .filter(|call| call.scope == scope)
                    .filter_map(direct)
                    .max()
            })
    })
}

/// What a call does by its own name.
fn direct(call: &Call) -> Option<Deed> {
    let callee = call.callee.as_ref();
    let last = callee.rsplit('.').next().unwrap_or(callee);
    if matches!(
        last,
        "submit_order"
            | "place_order"
            | "create_order"
            | "market_order"
            | "limit_order"
            | "create_market_order"
            | "create_limit_order"
            | "create_test_order"
            | "futures_create_order"
            | "order_market_buy"
            | "order_market_sell"
            | "order_limit_buy"
            | "order_limit_sell"
            | "close_all_positions"
            | "cancel_all_orders"
    ) {
        return Some(Deed::Orders);
    }
    if matches!(
        last,
        "run_forever"
            | "run_polling"
            | "start_polling"
            | "infinity_polling"
            | "mainloop"
            | "serve_forever"
    ) {
        return Some(Deed::Loops);
    }
    if super::super::tests::network::is_network(callee) {
        return Some(Deed::Fetches);
    }
    match callee {
        "psycopg2.connect"
        | "pymysql.connect"
        | "mysql.connector.connect"
        | "MySQLdb.connect"
        | "pyodbc.connect"
        | "psycopg.connect" => Some(Deed::Connects),
        "input" => Some(Deed::Asks),
        "time.sleep" => Some(Deed::Waits),
        _ => None,
    }
}
