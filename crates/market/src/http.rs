//! The market's doors on the listener: `/v1/{bars,quote,trades}/{instrument}.{json|csv|arrow|parquet}`,
//! `/v1/news`, `/v1/stream`, and `/p/{provider}/{path…}` for calls in the provider's own words.
//!
//! Why the format is a suffix: `pandas.read_csv(url)` needs nothing else. Whatever a caller got wrong comes
//! back as a problem document (RFC 9457) that names the choices. Answers say where they come from:
//! `Cache-Status` (RFC 9211), `Age`, and how the provider's windows stand in `RateLimit` and
//! `RateLimit-Policy`. Not here: who may ask (the edge), what is answered ([`crate::service`]).

pub mod follow;
mod question;
pub mod stream;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tradewind_catalog::UseCase;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::Recovery;
use tradewind_host::egress::EgressError;

use crate::format::{Format, Numbers, Table};
use crate::import::{self, Report};
use crate::pass::{Call, Pass, PassError, Passed};
use crate::service::{Answer, MarketError, Service};
use crate::source::FetchError;
pub(crate) use question::{consumer, urgency};
use question::{moments_question, question};

/// Rows from which on an answer is sent while it is written.
const LONG: usize = 100_000;

/// Upper bound on a file that is imported, in bytes.
pub const MAX_FILE_BYTES: usize = 512 * 1024 * 1024;

/// Builds the router.
pub fn router<S: Clone + Send + Sync + 'static>(service: Service, pass: Pass) -> Router<S> {
    let through = Router::new()
        .route("/p/{provider}/{*path}", any(pass_on))
        .with_state(pass);
    Router::new()
        .route("/v1/bars/{name}", get(bars).post(take_bars))
        .route("/v1/quote/{name}", get(quote))
        .route("/v1/trades/{name}", get(trades))
        .route("/v1/news", get(news))
        .route("/v1/imports", get(list_imports))
        .route("/v1/imports/{id}", delete(remove_import))
        .route("/v1/stream", get(follow::follow))
        .with_state(service)
        .merge(through)
}

/// Answers `/p/{provider}/{path…}`: the call goes on as it came.
async fn pass_on(
    State(pass): State<Pass>,
    Path((provider, _)): Path<(String, String)>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let whole = uri.path_and_query().map_or("/", |whole| whole.as_str());
    // The path as it came: what was decoded and written again may be another one, and its signature wrong.
    let rest = whole
        .strip_prefix("/p/")
        .and_then(|rest| rest.split_once('/'))
        .map_or("", |(_, rest)| rest);
    let urgency = match urgency(&headers, pass.now()) {
        Ok(urgency) => urgency,
        Err(problem) => return problem.into_response(),
    };
    let call = Call {
        provider: provider.to_ascii_lowercase(),
        host: headers
            .get("x-tradewind-host")
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned),
        method,
        path_and_query: rest.to_owned(),
        consumer: consumer(&headers).unwrap_or_else(|| "unnamed".to_owned()),
        headers,
        body,
        urgency,
    };
    passed(pass.send(call).await)
}

/// Turns what came back into an answer; what went wrong on the way is a problem document.
pub fn passed(passed: Result<Passed, PassError>) -> Response {
    match passed {
        Ok(passed) => {
            let mut response = passed.response.body.into_response();
            *response.status_mut() = passed.response.status;
            *response.headers_mut() = passed.response.headers;
            if passed.how.is_none() {
                // What comes through the cache says so itself.
                let status = HeaderValue::from_static("tradewind; fwd=bypass");
                let name = HeaderName::from_static("cache-status");
                response.headers_mut().append(name, status);
            }
            response
        }
        Err(error) => failed(&error).into_response(),
    }
}

/// Says why a call was not passed on.
pub(crate) fn failed(error: &PassError) -> Problem {
    let (status, retry_after) = match error {
        PassError::UnknownProvider(_) | PassError::UnknownHost { .. } => {
            (StatusCode::NOT_FOUND, None)
        }
        PassError::Address => (StatusCode::BAD_REQUEST, None),
        PassError::Key(_) => (StatusCode::BAD_GATEWAY, None),
        PassError::Unheard { source, .. } => match source.as_ref() {
            EgressError::Held { retry_after, .. } => (StatusCode::TOO_MANY_REQUESTS, *retry_after),
            EgressError::TimedOut { .. } => (StatusCode::GATEWAY_TIMEOUT, None),
            _ => (StatusCode::BAD_GATEWAY, None),
        },
    };
    let detail = match error {
        PassError::Unheard { source, .. } => source.to_string(),
        PassError::UnknownProvider(_) => "`tradewind catalog list` shows providers".to_owned(),
        _ => "`tradewind catalog show` has what is known of the provider".to_owned(),
    };
    Problem {
        status,
        title: error.to_string(),
        detail,
        class: None,
        retry_after,
    }
}

async fn bars(
    State(service): State<Service>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    answer(&service, UseCase::Bars, &name, &query, &headers).await
}

/// Takes bars of a file, in the form that the path names.
async fn take_bars(
    State(service): State<Service>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    import(&service, &name, &query, &headers, body).await
}

/// Imports a file as `POST /v1/bars/{instrument}.{csv|arrow|parquet}` does; the answer is a report in JSON.
pub async fn import(
    service: &Service,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    file: Bytes,
) -> Response {
    match imported(service, name, query, headers, file).await {
        Ok(report) => axum::Json(report).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn imported(
    service: &Service,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    file: Bytes,
) -> Result<Report, Problem> {
    let (own, of_series): (Vec<_>, Vec<_>) = query
        .iter()
        .cloned()
        .partition(|(key, _)| key == "zone" || key == "sparse");
    let (ask, format, _) = question(name, &of_series, headers, service.now())?;
    if ask.provider.is_none() || ask.start.is_some() || ask.end.is_some() {
        return Err(Problem::of_question(
            "an import names the provider of the bars, and no span",
            "say provider=alpaca; the file has its own span",
        ));
    }
    let (mut zone, mut is_sparse) = (None, false);
    for (key, value) in &own {
        if key == "sparse" {
            is_sparse = value == "true";
            continue;
        }
        let known = TimeZone::get(value)
            .map_err(|error| Problem::of_question("there is no such zone", error.to_string()))?;
        zone = Some(known);
    }
    // Taking a large file apart would keep a thread of the listener from everybody else.
    let read = tokio::task::spawn_blocking(move || import::read(format, file)).await;
    let rows = match read {
        Ok(Ok(rows)) => rows,
        Ok(Err(error)) => {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            return Err(Problem::of_question(
                error.to_string(),
                why.unwrap_or_else(|| "nothing was imported".to_owned()),
            ));
        }
        Err(_panicked) => {
            return Err(Problem::of_question(
                "the file cannot be read",
                "nothing was imported",
            ));
        }
    };
    let report = service.import(&ask, &rows, zone.as_ref(), is_sparse).await;
    report.map_err(|error| problem(&error))
}

async fn list_imports(State(service): State<Service>) -> Response {
    imports(&service).await
}

async fn remove_import(State(service): State<Service>, Path(id): Path<String>) -> Response {
    take_back(&service, &id).await
}

/// Lists imports, the newest first.
pub async fn imports(service: &Service) -> Response {
    match service.store().imports().await {
        Ok(imports) => axum::Json(serde_json::json!({ "imports": imports })).into_response(),
        Err(error) => problem(&MarketError::Import(error.into())).into_response(),
    }
}

/// Takes an import back.
pub async fn take_back(service: &Service, id: &str) -> Response {
    let nothing = || Problem {
        status: StatusCode::NOT_FOUND,
        title: "there is no such import".to_owned(),
        detail: "`tradewind import --list` has their numbers".to_owned(),
        class: None,
        retry_after: None,
    };
    let Ok(id) = id.parse() else {
        return nothing().into_response();
    };
    match service.store().take_back(id).await {
        Ok(Some(note)) => axum::Json(note).into_response(),
        Ok(None) => nothing().into_response(),
        Err(error) => problem(&MarketError::Import(error.into())).into_response(),
    }
}

async fn quote(
    State(service): State<Service>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    answer(&service, UseCase::Quote, &name, &query, &headers).await
}

async fn trades(
    State(service): State<Service>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    answer(&service, UseCase::Trades, &name, &query, &headers).await
}

async fn news(
    State(service): State<Service>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    answer(&service, UseCase::News, "", &query, &headers).await
}

/// What a question got wrong, with the status that says so.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) class: Option<FailureClass>,
    pub(crate) retry_after: Option<Duration>,
}

impl Problem {
    fn of_question(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: title.into(),
            detail: detail.into(),
            class: None,
            retry_after: None,
        }
    }
}

impl Problem {
    /// Returns status, headers and body of the document.
    pub(crate) fn whole(self) -> (StatusCode, HeaderMap, Bytes) {
        let mut body = serde_json::json!({
            "type": "about:blank",
            "status": self.status.as_u16(),
            "title": self.title,
            "detail": self.detail,
        });
        if let Some(class) = self.class {
            body["class"] = class.as_str().into();
        }
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(wait) = self.retry_after {
            // Rounded up: who comes too early is refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        (self.status, headers, body.to_string().into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.whole().into_response()
    }
}

/// Answers `GET /v1/{use case}/{name}`, with `name` decoded; the command line asks here too when no daemon
/// runs. News have no name.
pub async fn answer(
    service: &Service,
    what: UseCase,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Response {
    let answered = match what {
        UseCase::Bars => bars_answered(service, name, query, headers).await,
        _ => moments_answered(service, what, name, query, headers).await,
    };
    match answered {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn bars_answered(
    service: &Service,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (ask, format, numbers) = question(name, query, headers, service.now())?;
    let answer = service.bars(&ask).await.map_err(|error| problem(&error))?;
    let about = describe(service, &answer);
    let bars = answer.bars;
    // Decimals may turn out not to fit, which has to be said before the answer begins.
    let is_long = bars.len() > LONG && numbers == Numbers::Float;
    written(move || bars.into_table(numbers), is_long, format, about).await
}

async fn moments_answered(
    service: &Service,
    what: UseCase,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (ask, format, numbers) = moments_question(what, name, query, headers, service.now())?;
    let moments = service
        .moments(&ask)
        .await
        .map_err(|error| problem(&error))?;
    let status = match moments.calls {
        0 => "tradewind; hit".to_owned(),
        calls => format!("tradewind; fwd=miss; stored; detail=\"calls={calls}\""),
    };
    let about = about(
        service,
        &moments.provider,
        Some(moments.fetched_at),
        &status,
    );
    written(move || moments.table(numbers), false, format, about).await
}

/// Writes an answer. A million rows take a while; other callers must not wait for them.
async fn written(
    table: impl FnOnce() -> Table + Send + 'static,
    is_long: bool,
    format: Format,
    about: HeaderMap,
) -> Result<Response, Problem> {
    if format == Format::Arrow && is_long {
        let kind = HeaderValue::from_static(format.media_type());
        let mut response = ([(header::CONTENT_TYPE, kind)], stream::arrow(table)).into_response();
        response.headers_mut().extend(about);
        return Ok(response);
    }
    let body = tokio::task::spawn_blocking(move || table().encode(format)).await;
    let body = body.map_err(|_panicked| Problem {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: "the answer cannot be written".to_owned(),
        detail: "this is a bug in Tradewind; its log says more".to_owned(),
        class: None,
        retry_after: None,
    })?;
    let body = body.map_err(|error| {
        Problem::of_question("the answer cannot be written so", error.to_string())
    })?;
    let kind = HeaderValue::from_static(format.media_type());
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    response.headers_mut().extend(about);
    Ok(response)
}

/// Says in headers where bars come from.
fn describe(service: &Service, answer: &Answer) -> HeaderMap {
    let status = match (answer.calls, answer.is_shared) {
        _ if answer.stale.is_some() => "tradewind; hit; fwd=stale; detail=\"stale\"".to_owned(),
        (0, false) => "tradewind; hit".to_owned(),
        (0, true) => "tradewind; fwd=miss; collapsed".to_owned(),
        (calls, _) => format!("tradewind; fwd=partial; stored; detail=\"calls={calls}\""),
    };
    let mut headers = about(
        service,
        answer.bars.provider(),
        answer.bars.fetched_at(),
        &status,
    );
    if let Some((provider, error)) = &answer.instead_of {
        put(
            &mut headers,
            "x-tradewind-instead-of",
            &format!("{provider} ({error})"),
        );
    }
    if let Some(error) = &answer.stale {
        put(
            &mut headers,
            "x-tradewind-stale-because",
            &error.to_string(),
        );
    }
    if !answer.unknown.is_empty() {
        let spans = answer
            .unknown
            .iter()
            .take(5)
            .map(|(start, end)| format!("{start}/{end}"));
        put(
            &mut headers,
            "x-tradewind-unknown",
            &spans.collect::<Vec<_>>().join(", "),
        );
    }
    headers
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Says in headers who said something, how old it is and how that provider's windows stand.
fn about(
    service: &Service,
    provider: &str,
    fetched_at: Option<Timestamp>,
    status: &str,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    put(&mut headers, "cache-status", status);
    if let Some(at) = fetched_at {
        let age = service.now().duration_since(at).as_secs().max(0);
        put(&mut headers, "age", &age.to_string());
    }
    put(&mut headers, "x-tradewind-provider", provider);
    let view = service.governor().view();
    let windows = view
        .windows
        .iter()
        .filter(|window| window.provider == provider);
    let (mut policies, mut limits) = (Vec::new(), Vec::new());
    for window in windows {
        let left = window.limit.saturating_sub(window.used);
        let reset = window.free_in_ms.div_ceil(1_000);
        policies.push(format!("\"{}\";q={}", window.window, window.limit));
        limits.push(format!("\"{}\";r={left};t={reset}", window.window));
    }
    if !policies.is_empty() {
        put(&mut headers, "ratelimit-policy", &policies.join(", "));
        put(&mut headers, "ratelimit", &limits.join(", "));
    }
    headers
}

/// Says what went wrong, and whether and when to come again.
fn problem(error: &MarketError) -> Problem {
    let retry_after = match error.recovery() {
        Recovery::RetryAfter(wait) => Some(wait),
        _ => None,
    };
    let (status, class) = match error {
        MarketError::NobodyHasIt { .. } => (StatusCode::NOT_FOUND, None),
        MarketError::Span { .. } | MarketError::TooMany { .. } | MarketError::Import(_) => {
            (StatusCode::BAD_REQUEST, None)
        }
        MarketError::NoKey { .. } | MarketError::Key { .. } => {
            (StatusCode::BAD_GATEWAY, Some(FailureClass::Auth))
        }
        MarketError::Fetch(FetchError::Refused { class, .. }) => (status_of(*class), Some(*class)),
        MarketError::Fetch(FetchError::Unheard { source, .. }) => match source.as_ref() {
            EgressError::Held { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, Some(FailureClass::Throttled))
            }
            EgressError::TimedOut { .. } => {
                (StatusCode::GATEWAY_TIMEOUT, Some(FailureClass::Outage))
            }
            _ => (StatusCode::BAD_GATEWAY, Some(FailureClass::Outage)),
        },
        MarketError::Fetch(_) | MarketError::Apart { .. } => (StatusCode::BAD_GATEWAY, None),
        MarketError::Stream(end) => (status_of(end.class), Some(end.class)),
        MarketError::TooManyListeners => (StatusCode::SERVICE_UNAVAILABLE, None),
    };
    let detail = match error {
        MarketError::NobodyHasIt { .. } => {
            "name a symbol, interval, adjustment or provider that the list offers; `tradewind catalog list` shows providers".to_owned()
        }
        MarketError::NoKey { .. } => {
            "set the variables for the daemon, or say in config.toml where the key is: [market.keys.<provider>]".to_owned()
        }
        MarketError::Span { .. } => "dates are 2024-01-31, times are 2024-01-31T14:30:00Z; start lies before end".to_owned(),
        MarketError::TooMany { .. } => "ask for less at once".to_owned(),
        MarketError::Import(_) => "nothing was imported: mend the file, or say another interval or zone".to_owned(),
        MarketError::Key { source, .. } => source.to_string(),
        MarketError::Stream(_) => {
            "what a provider refused is not tried again until its key is another, or the daemon starts anew; `tradewind catalog show` has what is known of its stream".to_owned()
        }
        MarketError::TooManyListeners => "end one of them, or come again later".to_owned(),
        MarketError::Fetch(FetchError::Unheard { source, .. }) => source.to_string(),
        MarketError::Apart { provider, instead, source, .. } => format!(
            "{source}. Take {instead} out of `equivalent` in config.toml, or ask it by name; adjustments and feeds of the two may differ, or {provider} was split since"
        ),
        MarketError::Fetch(_) => match retry_after {
            Some(_) => "come again when Retry-After says".to_owned(),
            None => "`tradewind catalog show` has what is known of the provider".to_owned(),
        },
    };
    Problem {
        status,
        title: error.to_string(),
        detail,
        class,
        retry_after,
    }
}

fn status_of(class: FailureClass) -> StatusCode {
    match class {
        FailureClass::Throttled | FailureClass::QuotaGone | FailureClass::Banned => {
            StatusCode::TOO_MANY_REQUESTS
        }
        FailureClass::NotFound | FailureClass::Empty => StatusCode::NOT_FOUND,
        FailureClass::Outage | FailureClass::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        FailureClass::Auth
        | FailureClass::Plan
        | FailureClass::BadRequest
        | FailureClass::Malformed => StatusCode::BAD_GATEWAY,
    }
}
