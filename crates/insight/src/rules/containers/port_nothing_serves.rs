//! Ports that nothing serves.

use tradewind_repo::project::dockerfile::Dockerfile;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Ports that nothing serves.
#[derive(Debug)]
pub struct PortNothingServes;

const ABOUT: About = About {
    id: "port-nothing-serves",
    title: "Ports that nothing serves",
    area: Area::Containers,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "The owner believes there is something to look at, a dashboard or a health page, and there is not.",
    action: "Delete the port, or bring back what served it.",
    after: &[],
};

impl Rule for PortNothingServes {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        if serves(context) {
            return;
        }
        let mut places = Vec::new();
        for file in super::services(context) {
            let is_python = file
                .base_image()
                .is_some_and(|(_, image)| image.contains("python") || image.contains("conda"));
            if !is_python || starts_server(file) {
                continue;
            }
            for instruction in file
                .shipped()
                .into_iter()
                .filter(|instruction| instruction.keyword.as_ref() == "EXPOSE")
            {
                places.push((
                    file.path.as_ref(),
                    instruction.line,
                    instruction.rest.to_string(),
                ));
            }
            for (compose, service) in super::compose_of(context, file) {
                if let Some(port) = service.ports.first().filter(|_| service.command.is_none()) {
                    places.push((
                        compose.path.as_ref(),
                        port.line,
                        port.value.written.to_string(),
                    ));
                }
            }
        }
        let Some((_, _, port)) = places.first() else {
            return;
        };
        if context.code.modules.is_empty() {
            findings.not_checked(
                "whether something serves the published ports: there is no Python code",
            );
            return;
        }
        let evidence = places
            .iter()
            .map(|(path, line, _)| context.quote(path, *line))
            .collect();
        findings.add(
            format!("Port {port} is published, and no code opens a port"),
            evidence,
        );
    }
}

/// Modules that open a port.
const SERVERS: &[&str] = &[
    "flask",
    "fastapi",
    "aiohttp",
    "uvicorn",
    "gunicorn",
    "hypercorn",
    "django",
    "tornado",
    "sanic",
    "bottle",
    "starlette",
    "quart",
    "falcon",
    "cherrypy",
    "streamlit",
    "dash",
    "gradio",
    "panel",
    "bokeh",
    "nicegui",
    "http.server",
    "socketserver",
    "websockets",
    "websocket_server",
    "prometheus_client",
    "grpc",
    "xmlrpc.server",
    "jsonrpclib",
    "twisted",
    "gevent",
    "eventlet",
    "zmq",
    "rpyc",
    "shiny",
    "reflex",
    "mlflow",
    "flet",
    "SimpleHTTPServer",
    "BaseHTTPServer",
    "web",
    "litestar",
    "robyn",
    "wsgiref",
    "werkzeug",
    "waitress",
    "chainlit",
    "socketio",
    "flask_socketio",
    "nautilus_trader",
    "freqtrade",
    "hummingbot",
    "IPython",
    "notebook",
    "jupyterlab",
    "debugpy",
    "ptvsd",
    "ray",
    "dask",
    "celery",
    "flower",
    "telegram.ext",
];

/// Says whether any module could open a port.
fn serves(context: &Context<'_>) -> bool {
    context.code.modules.iter().any(|module| {
        let server = module.imports.iter().any(|import| {
            SERVERS.iter().any(|server| {
                import
                    .module
                    .strip_prefix(server)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }) || (import.module.as_ref() == "http" && import.name.as_deref() == Some("server"))
        });
        let listens = module.calls.iter().any(|call| {
            let last = call.callee.rsplit('.').next().unwrap_or(&call.callee);
            matches!(
                last,
                "start_server"
                    | "create_server"
                    | "listen"
                    | "serve"
                    | "serve_forever"
                    | "start_http_server"
                    | "start_webhook"
                    | "run_webhook"
                    | "bind"
            )
        });
        server || listens
    })
}

/// Programs that serve, or that may start anything.
const OTHERS: &[&str] = &[
    "gunicorn",
    "uvicorn",
    "streamlit",
    "flask",
    "http.server",
    "jupyter",
    "nginx",
    "supervisord",
    "node",
    "npm",
    "celery",
    "manage.py",
    "daphne",
    ".sh",
    "hypercorn",
    "panel",
    "dash",
    "java",
];

/// Says whether the image starts a server by itself, or something that is no Python.
fn starts_server(file: &Dockerfile) -> bool {
    let Some(start) = super::start_of(file) else {
        return true;
    };
    let text = match &start.exec {
        Some(words) => words.join(" "),
        None => start.rest.to_string(),
    };
    OTHERS.iter().any(|other| text.contains(other)) || !text.contains("python")
}
