//! `default-password`.

use tradewind_repo::python::{Code, Value};

use super::{calls, leaked};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Passwords that everybody tries first.
pub(super) struct DefaultPassword;

const ABOUT: About = About {
    id: "default-password",
    title: "Passwords that everybody tries first",
    area: Area::Safety,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "Whoever reaches the port is in with the first guess.",
    action: "Take the default away: let the program refuse to start without a password.",
    after: &[],
};

const WEAK: &[&str] = &[
    "admin",
    "administrator",
    "password",
    "passw0rd",
    "pass",
    "secret",
    "changeme",
    "change_me",
    "change-me",
    "123456",
    "12345678",
    "1234",
    "12345",
    "123456789",
    "letmein",
    "qwerty",
    "root",
    "toor",
    "postgres",
    "guest",
    "admin123",
    "password123",
    "supersecret",
    "abc123",
    "trading",
    "trader",
    "grafana",
    "mysecretpassword",
    "password1",
    "test123",
    "secret123",
    "secretkey",
    "secret-key",
];

impl Rule for DefaultPassword {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut told: Vec<&str> = Vec::new();
        for module in &context.code.modules {
            if Code::is_test(&module.path) || leaked::is_dummy_place(&module.path) {
                continue;
            }
            for call in &module.calls {
                let is_read = matches!(
                    call.callee.as_ref(),
                    "os.getenv" | "os.environ.get" | "decouple.config" | "environ.get"
                );
                let Some(Value::Text(name)) = call
                    .arguments
                    .first()
                    .map(|argument| &argument.value)
                    .filter(|_| is_read)
                else {
                    continue;
                };
                if let Some(Value::Text(value)) = calls::argument(call, 1, &["default"])
                    && is_password(name)
                    && is_weak(value)
                    && !told.contains(&name.as_ref())
                {
                    told.push(name);
                    let title = format!(
                        "{}:{}: {name} has a default that everybody tries first",
                        module.path, call.line
                    );
                    findings.add(
                        title,
                        vec![Evidence::at(
                            module.path.as_ref(),
                            call.line,
                            format!("{name} has a default (not shown)"),
                        )],
                    );
                }
            }
        }
        compose(context, findings);
    }
}

/// Services that are reached from outside with a password that everybody tries first.
fn compose(context: &Context<'_>, findings: &mut Findings) {
    for file in &context.project.compose {
        for service in &file.services {
            let is_reached = service.ports.iter().any(|port| {
                !port.value.written.starts_with("127.0.0.1")
                    && !port.value.written.starts_with("localhost")
            });
            if !is_reached {
                continue;
            }
            for (name, value) in &service.environment {
                let Some(value) = value.as_deref() else {
                    continue;
                };
                // `${NAME:-default}`: the default counts.
                let plain = value
                    .split_once(":-")
                    .map_or(value, |(_, rest)| rest.trim_end_matches('}'));
                if is_password(&name.value) && is_weak(plain.trim_matches(['"', '\''])) {
                    let title = format!(
                        "{}:{}: {} of {} is one that everybody tries first",
                        file.path, name.line, name.value, service.name
                    );
                    let added = findings.add(
                        title,
                        vec![Evidence::at(
                            file.path.as_ref(),
                            name.line,
                            format!("{}: *** with published ports", name.value),
                        )],
                    );
                    added.severity = Severity::Medium;
                    // The port is open; whether code with a default runs like that is not known.
                    added.confidence = Confidence::Likely;
                }
            }
        }
    }
}

fn is_password(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASSWORD",
        "PASSWD",
        "PASS",
        "SECRET_KEY",
        "ADMIN_TOKEN",
        "API_SECRET",
        "AUTH_TOKEN",
        "JWT_SECRET",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

fn is_weak(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    WEAK.contains(&lower.as_str())
}
