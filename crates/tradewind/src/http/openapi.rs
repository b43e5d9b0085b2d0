//! `/openapi.json`: what this listener serves, for tools that read such descriptions.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tradewind_core::EventKind;

/// Answers `GET /openapi.json`.
pub(crate) async fn show() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// Builds the OpenAPI 3.1 document.
#[expect(
    clippy::too_many_lines,
    reason = "it is one document, read from top to bottom"
)]
pub(crate) fn document() -> Value {
    let query = |name: &str, kind: Value, description: &str| json!({ "name": name, "in": "query", "required": false, "schema": kind, "description": description });
    let seq = json!({ "type": "integer", "minimum": 0 });
    let time = json!({ "type": "string", "format": "date-time" });
    let text = json!({ "type": "string" });
    let problem = json!({
        "description": "What is wrong and what to do (RFC 9457).",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
    });
    let ok = |description: &str, media_type: &str, schema: Value| {
        let mut content = serde_json::Map::new();
        content.insert(media_type.to_owned(), json!({ "schema": schema }));
        json!({ "description": description, "content": content })
    };
    let batch = json!({ "type": "array", "items": { "$ref": "#/components/schemas/CloudEvent" } });
    let moments = |summary: &str, has_name: bool| {
        let mut parameters = vec![
            query(
                "start",
                text.clone(),
                "First day or moment. Default: only what is newest.",
            ),
            query(
                "end",
                text.clone(),
                "Day or moment that is not included any more.",
            ),
            query(
                "provider",
                text.clone(),
                "Who is asked. Default: whoever has it.",
            ),
            query("feed", text.clone(), "Which feed of the provider."),
            query(
                "limit",
                json!({ "type": "integer", "minimum": 1, "maximum": 50000, "default": 1000 }),
                "At most so many rows.",
            ),
            query(
                "max_age",
                text.clone(),
                "Age up to which an answer is given again: 500ms, 90s, 15m, 2h.",
            ),
            query(
                "numbers",
                json!({ "enum": ["float", "decimal"], "default": "float" }),
                "How numbers are written.",
            ),
        ];
        if has_name {
            parameters.push(json!({ "name": "name", "in": "path", "required": true, "schema": text, "description": "Instrument and format." }));
        } else {
            parameters.push(query(
                "symbol",
                text.clone(),
                "What the articles are about.",
            ));
            parameters.push(query("q", text.clone(), "Words that they have."));
            parameters.push(query(
                "format",
                json!({ "enum": ["json", "csv", "arrow", "parquet"], "default": "json" }),
                "The form of the answer.",
            ));
        }
        json!({ "get": {
            "summary": summary,
            "security": [],
            "parameters": parameters,
            "responses": {
                "200": { "description": "The rows, oldest first, with provider and fetched_at.", "content": { "application/json": { "schema": { "type": "array", "items": { "type": "object" } } }, "text/csv": { "schema": text } } },
                "400": problem.clone(), "404": problem.clone(), "429": problem.clone(), "502": problem.clone(), "503": problem.clone(), "504": problem.clone()
            }
        } })
    };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tradewind",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The local listener of one user's Tradewind. Public reads on loopback need no token; everything else takes `Authorization: Bearer` with the token from the state directory."
        },
        "paths": {
            "/": { "get": {
                "summary": "First page; with `Accept: text/event-stream` the live list of events without their bodies.",
                "security": [],
                "responses": { "200": ok("The page.", "text/html", text.clone()) }
            } },
            "/healthz": { "get": {
                "summary": "Whether the daemon can do its work.",
                "security": [],
                "responses": {
                    "200": ok("It can.", "application/json", json!({ "type": "object" })),
                    "503": ok("It cannot; `journal` says why.", "application/json", json!({ "type": "object" }))
                }
            } },
            "/metrics": { "get": {
                "summary": "Prometheus metrics.",
                "security": [],
                "responses": { "200": ok("Text format 0.0.4.", "text/plain", text.clone()) }
            } },
            "/openapi.json": { "get": {
                "summary": "This document.",
                "responses": { "200": ok("OpenAPI 3.1.", "application/json", json!({ "type": "object" })), "401": problem.clone() }
            } },
            "/v1/events": {
                "get": {
                    "summary": "Events of the journal, oldest first; with `Accept: text/event-stream` live.",
                    "parameters": [
                        query("after", seq.clone(), "Only events after this place. For a stream: where to begin; without it, now."),
                        query("before", seq, "Only events before this place."),
                        query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }), "At most so many."),
                        query("kind", text.clone(), "Kinds, separated by commas; `*` stands for any characters."),
                        query("repository", text.clone(), "Only events of this repository id."),
                        query("since", time.clone(), "Only events recorded at or after this time."),
                        query("until", time, "Only events recorded before this time.")
                    ],
                    "responses": {
                        "200": ok("A batch; header `Link` names the next one.", "application/cloudevents-batch+json", batch.clone()),
                        "400": problem.clone(), "401": problem.clone(), "403": problem.clone(), "421": problem.clone()
                    }
                },
                "post": {
                    "summary": "Journals foreign events as `external.event.received`. A repeated source and id is journaled once.",
                    "requestBody": { "required": true, "content": {
                        "application/cloudevents+json": { "schema": { "$ref": "#/components/schemas/CloudEvent" } },
                        "application/cloudevents-batch+json": { "schema": batch }
                    } },
                    "responses": {
                        "202": ok("Durable; the places they got.", "application/json", json!({
                            "type": "object",
                            "properties": { "schema_version": { "const": 1 }, "seqs": { "type": "array", "items": { "type": "integer" } } }
                        })),
                        "400": problem.clone(), "401": problem.clone(), "413": problem.clone(), "503": problem.clone()
                    }
                }
            },
            "/v1/bars/{name}": { "post": {
                "summary": "Keeps bars of a file, CSV, Arrow or Parquet as `name` says, as those of the provider that is named.",
                "parameters": [
                    json!({ "name": "name", "in": "path", "required": true, "schema": text, "description": "Instrument and format." }),
                    json!({ "name": "provider", "in": "query", "required": true, "schema": text, "description": "Whose bars they are." }),
                    query("interval", json!({ "type": "string", "default": "1d" }), "Length of a bar."),
                    query("adjust", json!({ "enum": ["none", "splits", "all"], "default": "none" }), "How prices are adjusted."),
                    query("feed", text.clone(), "Which feed of the provider."),
                    query("zone", text.clone(), "Zone of times that name none."),
                    query("sparse", json!({ "type": "boolean", "default": false }), "Whether the file leaves bars out.")
                ],
                "requestBody": { "required": true, "content": { "*/*": { "schema": {} } } },
                "responses": { "200": ok("What was imported.", "application/json", json!({ "type": "object" })), "400": problem.clone(), "401": problem.clone(), "404": problem.clone(), "413": problem.clone() }
            }, "get": {
                "summary": "Bars of an instrument: `AAPL.csv`, `BTC%2FUSD@kraken.arrow`. Only what is missing is fetched.",
                "description": "`name` is SYMBOL or SYMBOL@venue, percent-encoded, and a format: json, csv, arrow or parquet. Columns: start (UTC), open, high, low, close, volume, final, provider, fetched_at, stale.",
                "security": [],
                "parameters": [
                    json!({ "name": "name", "in": "path", "required": true, "schema": text, "description": "Instrument and format." }),
                    query("interval", json!({ "type": "string", "default": "1d" }), "Length of a bar: 1m, 15m, 1h, 1d, 1w, 1mo."),
                    query("start", text.clone(), "First day (midnight at the venue) or moment. Default: 250 bars before the end."),
                    query("end", text.clone(), "Day or moment that is not included any more. Default: now."),
                    query("adjust", json!({ "enum": ["none", "splits", "all"], "default": "none" }), "How prices are adjusted."),
                    query("provider", text.clone(), "Who is asked. Default: whoever has it."),
                    query("feed", text.clone(), "Which feed of the provider."),
                    query("max_age", text.clone(), "Age up to which a bar that may still change is served without asking: 500ms, 90s, 15m, 2h."),
                    query("numbers", json!({ "enum": ["float", "decimal"], "default": "float" }), "How numbers are written.")
                ],
                "responses": {
                    "200": { "description": "The bars, oldest first. Headers: Cache-Status, Age, RateLimit, RateLimit-Policy, X-Tradewind-Provider.", "content": {
                        "application/json": { "schema": { "type": "array", "items": { "type": "object" } } },
                        "text/csv": { "schema": text },
                        "application/vnd.apache.arrow.file": { "schema": text },
                        "application/vnd.apache.parquet": { "schema": text }
                    } },
                    "400": problem.clone(), "404": problem.clone(), "429": problem.clone(), "502": problem.clone(), "503": problem.clone(), "504": problem.clone()
                }
            } },
            "/v1/imports": { "get": {
                "summary": "What was imported, the newest first.",
                "responses": { "200": ok("Their numbers, and what has become of each.", "application/json", json!({ "type": "object" })), "401": problem.clone() }
            } },
            "/v1/imports/{id}": { "delete": {
                "summary": "Takes an import back: what it made known is unknown again. Once more changes nothing.",
                "parameters": [json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" }, "description": "Its number." })],
                "responses": { "200": ok("What was taken back.", "application/json", json!({ "type": "object" })), "401": problem.clone(), "404": problem.clone() }
            } },
            "/v1/quote/{name}": moments("Best bid and ask, or the last price, of an instrument: newest, or of a span.", true),
            "/v1/trades/{name}": moments("Single prints of an instrument: newest, or of a span.", true),
            "/v1/news": moments("Articles about a `symbol`, or with the words `q`; `format` is json unless said.", false),
            "/v1/stream": { "get": {
                "summary": "What happens, as it happens: Server-Sent Events, or a WebSocket where the request asks for one.",
                "description": "Each message is a JSON object whose `type` is trade, quote, bar, notice or end. Trades come once and in the provider's sequence, across lost connections too. An event's `id` is where a listener goes on: Last-Event-ID or `after`. A WebSocket is closed with 4401 (key), 4403 (plan), 4404 (unknown there), 4408 (too slow), 4429 (patience), 1001 (the daemon ends) or 1011.",
                "parameters": [
                    json!({ "name": "instrument", "in": "query", "required": true, "schema": text, "description": "SYMBOL or SYMBOL@venue." }),
                    query("kind", json!({ "enum": ["trades", "quotes", "bars"], "default": "trades" }), "What is listened to."),
                    query("interval", text.clone(), "For bars, which are made of trades: 1s to 12h."),
                    query("provider", text.clone(), "Who is asked. Default: whoever has a stream of it."),
                    query("feed", text.clone(), "Which feed of the provider."),
                    query("numbers", json!({ "enum": ["float", "decimal"], "default": "float" }), "How numbers are written."),
                    query("after", text.clone(), "The id of the last message that was seen; like the header Last-Event-ID."),
                ],
                "responses": {
                    "101": { "description": "A WebSocket, one object per message." },
                    "200": ok("Server-Sent Events; `event` is the type, `data` the object.", "text/event-stream", text.clone()),
                    "400": problem.clone(), "401": problem.clone(), "403": problem.clone(), "404": problem.clone(), "421": problem.clone(), "502": problem.clone(), "503": problem.clone()
                }
            } },
            "/p/{provider}/{path}": {
                "parameters": [
                    json!({ "name": "provider", "in": "path", "required": true, "schema": text, "description": "Name in the catalog." }),
                    json!({ "name": "path", "in": "path", "required": true, "schema": text, "description": "Path and query as the provider has them." }),
                    json!({ "name": "X-Tradewind-Host", "in": "header", "required": false, "schema": text, "description": "Which of the provider's hosts; default: the one that answers data." })
                ],
                "get": {
                    "summary": "A call in the provider's own words. Calls for data are rationed and shared; all others pass straight through, once, with any method. The token may travel in X-Tradewind-Token.",
                    "responses": { "default": { "description": "What the provider answered.", "content": { "*/*": { "schema": {} } } }, "401": problem.clone(), "404": problem.clone(), "429": problem.clone(), "502": problem.clone(), "504": problem.clone() }
                }
            },
            "/v1/control": { "post": {
                "summary": "Executes a command of the command line inside the daemon. For this program's own use; not stable.",
                "requestBody": { "required": true, "content": { "application/json": { "schema": { "type": "object" } } } },
                "responses": { "200": ok("The command's answer.", "application/json", json!({ "type": "object" })), "400": problem.clone(), "401": problem }
            } }
        },
        "security": [ { "token": [] } ],
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": {
                "Problem": {
                    "type": "object",
                    "required": ["status", "title"],
                    "properties": { "type": text, "status": { "type": "integer" }, "title": { "type": "string" }, "detail": { "type": "string" } }
                },
                "CloudEvent": {
                    "type": "object",
                    "description": "CloudEvents 1.0, JSON format.",
                    "required": ["specversion", "id", "source", "type"],
                    "properties": {
                        "specversion": { "const": "1.0" },
                        "id": { "type": "string" },
                        "source": { "type": "string" },
                        "type": { "type": "string", "description": "For our own events one of the closed list.", "examples": EventKind::ALL },
                        "subject": { "type": "string" },
                        "time": { "type": "string", "format": "date-time" },
                        "recordedtime": { "type": "string", "format": "date-time" },
                        "sequence": { "type": "string", "pattern": "^[0-9]{20}$" },
                        "cause": { "type": "string" },
                        "correlation": { "type": "string" },
                        "repository": { "type": "string" },
                        "schemaversion": { "type": "integer" },
                        "datacontenttype": { "type": "string" },
                        "data": {}
                    }
                }
            }
        }
    })
}
