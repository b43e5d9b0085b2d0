//! `feature-missing`.

use std::collections::BTreeMap;

use tradewind_repo::documents::{PageKind, What};

use super::existing::capped;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Addresses on pages at which nothing of the repository answers.
pub(super) struct FeatureMissing;

const ABOUT: About = About {
    id: "feature-missing",
    title: "Promised addresses that nothing serves",
    area: Area::Documentation,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The owner believes that there is something to look at, and looks when it matters.",
    action: "Take the claim out, or bring back what served it.",
    after: &[],
};

/// Packages that answer on a port.
const SERVERS: &[&str] = &[
    "aiohttp",
    "bokeh",
    "bottle",
    "cherrypy",
    "dash",
    "django",
    "falcon",
    "fastapi",
    "flask",
    "gradio",
    "gunicorn",
    "http",
    "hypercorn",
    "litestar",
    "mcp",
    "nicegui",
    "panel",
    "prometheus_client",
    "pyramid",
    "quart",
    "sanic",
    "socketserver",
    "socket",
    "starlette",
    "streamlit",
    "tornado",
    "twisted",
    "uvicorn",
    "voila",
    "waitress",
    "websockets",
    "werkzeug",
    "wsgiref",
    "xmlrpc",
    "zmq",
    "grpc",
    "shiny",
    "solara",
    "reflex",
    "flet",
    "chainlit",
    "flask_socketio",
    "eventlet",
    "gevent",
    "webbrowser",
    "jupyter",
    "notebook",
    "mlflow",
    "tensorboard",
    "airflow",
    "celery",
    "flower",
    "ray",
    "dask",
    "distributed",
    "freqtrade",
    "jesse",
    "tensorflow",
];

/// Ports of programs of others that a page may well tell to open.
const OTHERS: &[u16] = &[
    1433, 1521, 2375, 3000, 3306, 4001, 4002, 4040, 4200, 4222, 5000, 5432, 5433, 5601, 5672, 5678,
    6006, 6333, 6379, 6380, 7474, 7496, 7497, 7687, 8086, 8123, 8200, 8501, 8545, 8787, 8888, 8889,
    9000, 9042, 9090, 9092, 9093, 9100, 9200, 9222, 11111, 11434, 15672, 16686, 27017, 1080, 3128,
    7890, 10808, 1234,
];

impl Rule for FeatureMissing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut ports: BTreeMap<u16, Vec<Evidence>> = BTreeMap::new();
        for page in &context.documents.pages {
            if page.kind != PageKind::Readme {
                continue;
            }
            for claim in &page.claims {
                if let What::Port(port) = claim.what
                    && !OTHERS.contains(&port)
                    && !is_given(&claim.quote, port)
                {
                    let item = Evidence::at(page.path.as_ref(), claim.line, claim.quote.as_ref());
                    ports.entry(port).or_default().push(item);
                }
            }
        }
        if ports.is_empty() || context.code.modules.is_empty() {
            return;
        }
        let serves = context.code.modules.iter().any(|module| {
            module.imports.iter().any(|import| {
                let top = import.module.split('.').next().unwrap_or_default();
                SERVERS.contains(&top)
            })
        });
        let has_others = context.tree.tracked().any(|file| {
            [
                ".js",
                ".ts",
                ".tsx",
                ".jsx",
                ".go",
                ".rs",
                ".java",
                ".php",
                ".cs",
                ".html",
                "nginx.conf",
            ]
            .iter()
            .any(|end| file.path.ends_with(end))
        });
        // An image of somebody else may serve anything.
        let has_images = context
            .project
            .compose
            .iter()
            .flat_map(|file| &file.services)
            .any(|service| service.build.is_none());
        if serves || has_others || has_images {
            return;
        }
        for (port, mut evidence) in ports {
            evidence.extend(declared(context, port));
            let place = evidence
                .first()
                .and_then(|first| first.path.clone())
                .unwrap_or_default();
            let title = format!("{place} promises something on port {port}; no code opens a port");
            findings.add(title, capped(evidence));
        }
    }
}

/// Says whether a line gives the address of somebody else: the value of a setting (`FEED=ws://localhost:9000`).
fn is_given(line: &str, port: u16) -> bool {
    let tail = format!(":{port}");
    line.split([' ', '`', '(', ')', ',', '"', '\''])
        .filter(|word| word.contains(&tail))
        .all(|word| {
            let (name, value) = word.split_once('=').unwrap_or(("", ""));
            value.contains(&tail) && !name.contains("://") && !name.is_empty()
        })
}

/// Where containers open the same port.
fn declared(context: &Context<'_>, port: u16) -> Vec<Evidence> {
    let digits = port.to_string();
    let mut found = Vec::new();
    for file in &context.project.dockerfiles {
        for instruction in &file.instructions {
            if instruction.keyword.eq_ignore_ascii_case("EXPOSE")
                && instruction.rest.contains(&digits)
            {
                found.push(Evidence::at(
                    file.path.as_ref(),
                    instruction.line,
                    instruction.quote.as_ref(),
                ));
            }
        }
    }
    for file in &context.project.compose {
        for service in &file.services {
            for each in &service.ports {
                if each.value.container == Some(port) || each.value.written.contains(&digits) {
                    found.push(Evidence::at(
                        file.path.as_ref(),
                        each.line,
                        each.value.written.as_ref(),
                    ));
                }
            }
        }
    }
    found
}
