//! `/`: a plain first page that shows what is watched and follows the journal live.
//!
//! One resource, two forms: a browser gets HTML, its script asks the same address for
//! `text/event-stream` and gets one line per event. Bodies stay behind the token; what is shown is
//! [`describe`]'s sentence. Every value is escaped here, and a strict content policy forbids any script but ours.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tradewind_core::{Event, Seq};
use tradewind_journal::{Filter, Health};

use super::{events, problem};
use crate::daemon::hub::Hub;
use crate::describe::{describe, tone};
use crate::terminal::{Tone, one_line};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Events on the page when it opens.
const SHOWN: usize = 60;

/// Where the page's stream begins.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    after: Option<Seq>,
}

/// Answers `GET /` in the form that the client accepts.
pub(crate) async fn show(
    State(hub): State<Hub>,
    query: Result<Query<PageQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    if events::accepts_stream(&headers) {
        // The page names the last event that it shows, so that nothing falls between page and stream.
        let after = events::last_event_id(&headers)
            .or(query.ok().and_then(|Query(query)| query.after))
            .unwrap_or_else(|| hub.journal().last());
        let names = hub.clone();
        return events::stream(&hub, after, Filter::default(), move |event| {
            row(&names, event).to_string()
        });
    }
    let filter = Filter {
        limit: SHOWN,
        newest_first: true,
        ..Filter::default()
    };
    let latest = match hub.read(move |reader| reader.select(&filter)).await {
        Ok(events) => events,
        Err(error) => {
            return problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the journal cannot be read",
                &error.to_string(),
            );
        }
    };
    let nonce = match tradewind_host::random::token() {
        Ok(nonce) => nonce,
        Err(error) => {
            return problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page cannot be made",
                &error.to_string(),
            );
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::REFERRER_POLICY, "no-referrer".to_owned()),
        ],
        render(&hub, &latest, &nonce),
    )
        .into_response()
}

fn render(hub: &Hub, latest: &[Event], nonce: &str) -> String {
    let rows: String = latest
        .iter()
        .map(|event| html_row(&row(hub, event)))
        .collect();
    let repositories: Vec<String> = hub
        .repositories()
        .iter()
        .map(|repository| {
            let state = match &repository.problem {
                None => "<span class=\"good\">watching</span>".to_owned(),
                Some(problem) => format!("<span class=\"bad\">{}</span>", escape(problem)),
            };
            format!(
                "<li><b>{}</b> {state}<br><small>{}</small></li>",
                escape(&repository.name),
                escape(&repository.path.display().to_string())
            )
        })
        .collect();
    let repositories = if repositories.is_empty() {
        "<li>none yet: run <code>tradewind up</code> inside one</li>".to_owned()
    } else {
        repositories.concat()
    };
    let journal = match hub.journal().health() {
        Health::Writing => "<span class=\"good\">writing</span>".to_owned(),
        Health::ReadOnly { error } => {
            format!("<span class=\"bad\">read only: {}</span>", escape(&error))
        }
    };
    let last = latest.first().map(|e| e.seq).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Tradewind</title>\
         <link rel=\"icon\" href=\"data:,\"><style nonce=\"{nonce}\">{STYLE}</style></head><body>\
         <header><h1>Tradewind</h1><p>version {version} · journal {journal} · <span id=\"live\" class=\"dim\">connecting…</span></p></header>\
         <main><section><h2>Repositories</h2><ul>{repositories}</ul></section>\
         <section><h2>Journal</h2><p class=\"dim\">Newest first. <code>tradewind explain SEQ</code> shows why something happened.</p>\
         <table><thead><tr><th>seq</th><th>when</th><th>where</th><th>kind</th><th>what</th></tr></thead>\
         <tbody id=\"events\" data-last=\"{last}\">{rows}</tbody></table></section></main>\
         <script nonce=\"{nonce}\">{SCRIPT}</script></body></html>\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn row(hub: &Hub, event: &Event) -> serde_json::Value {
    let class = match tone(event.kind) {
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Dim => "dim",
        Tone::Plain | Tone::Strong => "",
    };
    let place = event
        .repository
        .and_then(|id| hub.repository_name(id))
        .unwrap_or_default();
    json!({
        "seq": event.seq,
        "time": event.recorded_at.to_string(),
        "place": place,
        "kind": event.kind,
        "class": class,
        "what": one_line(&describe(event), 300),
        "cause": event.cause,
    })
}

fn html_row(row: &serde_json::Value) -> String {
    let text = |name: &str| {
        escape(
            &row[name]
                .as_str()
                .map_or_else(|| row[name].to_string(), ToOwned::to_owned),
        )
    };
    let cause = row["cause"]
        .as_u64()
        .map(|seq| format!(" <small class=\"dim\">← {seq}</small>"))
        .unwrap_or_default();
    format!(
        "<tr class=\"{}\"><td>{}{cause}</td><td><time datetime=\"{}\">{}</time></td><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
        text("class"),
        text("seq"),
        text("time"),
        text("time").get(..19).unwrap_or_default().replace('T', " "),
        text("place"),
        text("kind"),
        text("what"),
    )
}

pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_cannot_become_markup() {
        let row = json!({ "seq": 1, "time": "2026-01-02T03:04:05Z", "place": "<b>", "kind": "k", "class": "", "what": "\"><script>", "cause": null });
        let html = html_row(&row);
        assert!(
            !html.contains("<script>") && !html.contains("<b>"),
            "{html}"
        );
    }
}
