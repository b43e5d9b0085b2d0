//! The action `notify`: tells somebody, by webhook or on the desktop.
//!
//! A webhook is the event as a CloudEvent 1.0 in JSON, signed as Standard Webhooks says: the headers
//! `webhook-id`, `webhook-timestamp` and `webhook-signature: v1,<base64>`, where the signature is
//! HMAC-SHA256 over `id.timestamp.body` of the raw body. Its id is the request's key, so that a
//! receiver drops a repeated delivery. It goes through the journal's outbox: the request's outcome
//! is written when the receiver has answered, and a restart goes on where it was.
//!
//! When it gives up: after [`MAX_ATTEMPTS`] tries, or at once when the receiver says that the
//! message is wrong (4xx other than 408, 425 and 429). Between tries it waits 10 s, 30 s, … up to
//! an hour, each ±50 % at random. Not here: whether to tell (that is the rule's).

use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use tradewind_core::payload::Reversibility;
use tradewind_core::{Seq, cloudevent};
use tradewind_host::desktop;
use tradewind_host::egress::{Egress, HeaderMap, HeaderName, HeaderValue, Method, Request, Url};

use super::{Action, ActionContext, ArgumentMistake, OnRestart, Outcome, read_arguments};
use crate::secret::{SecretError, SecretReference};

/// Topic of the journal's outbox that webhooks wait in.
pub const TOPIC: &str = "engine.webhook";
/// How often a webhook is tried.
pub const MAX_ATTEMPTS: u32 = 8;

const FIRST_DELAY: Duration = Duration::from_secs(10);
const MAX_DELAY: Duration = Duration::from_hours(1);
const TIMEOUT: Duration = Duration::from_secs(15);
/// The answer is only looked at for its status.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Arguments of `notify`. One of `url` and `desktop` is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyArguments {
    /// Where the webhook goes: an address, or a reference to one that is itself a secret
    /// (`env:NAME`, `file:PATH`, `cmd:LINE`).
    #[serde(default)]
    pub url: Option<String>,
    /// Reference to the signing secret: `env:NAME`, `file:PATH` or `cmd:LINE`. Without it the
    /// webhook is not signed.
    #[serde(default)]
    pub secret: Option<String>,
    /// Shows a notice on this machine's desktop instead.
    #[serde(default)]
    pub desktop: bool,
    /// Title of the desktop notice. Default: the rule's name.
    #[serde(default)]
    pub title: Option<String>,
}

/// Tells somebody.
#[derive(Debug)]
pub struct Notify;

impl Action for Notify {
    fn name(&self) -> &'static str {
        "notify"
    }

    fn about(&self) -> &'static str {
        "Sends a signed webhook, or shows a notice on the desktop."
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(NotifyArguments)
    }

    fn check(&self, arguments: &Value) -> Vec<ArgumentMistake> {
        match read_arguments::<NotifyArguments>(arguments) {
            Ok(arguments) => mistakes(&arguments),
            Err(mistakes) => mistakes,
        }
    }

    fn summary(&self, arguments: &Value) -> String {
        match arguments.get("url").and_then(Value::as_str) {
            Some(url) => format!("Sends a webhook to {}.", shown(url)),
            None => "Shows a notice on the desktop.".to_owned(),
        }
    }

    fn reversibility(&self, arguments: &Value) -> Reversibility {
        if arguments.get("url").is_some() {
            Reversibility::Irreversible
        } else {
            Reversibility::Harmless
        }
    }

    /// A webhook leaves the machine with what the event says, so it needs trust as a command does.
    fn executes(&self, arguments: &Value) -> Vec<String> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let commands = ["url", "secret"].into_iter().filter_map(text);
        let commands = commands
            .filter(|text| text.starts_with("cmd:"))
            .map(str::to_owned);
        let webhook = text("url").map(|url| format!("webhook to {}", shown(url)));
        webhook.into_iter().chain(commands).collect()
    }

    /// What is in the outbox goes on by itself; what is not there was never sent.
    fn on_restart(&self) -> OnRestart {
        OnRestart::Abandon
    }

    fn run(&self, context: ActionContext) -> BoxFuture<'_, Outcome> {
        run(context).boxed()
    }
}

/// An address as it may be shown: the path of a webhook is often its password.
fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) if url.host_str().is_some() => url.host_str().unwrap_or_default().to_owned(),
        _ => format!("the address in {url}"),
    }
}

fn mistakes(arguments: &NotifyArguments) -> Vec<ArgumentMistake> {
    let mut found = Vec::new();
    match (&arguments.url, arguments.desktop) {
        (None, false) => found.push(ArgumentMistake {
            path: Vec::new(),
            is_key: false,
            message: "say whom to tell: `url = \"https://…\"` or `desktop = true`".into(),
        }),
        (Some(_), true) => {
            found.push(ArgumentMistake::new(
                "desktop",
                "say `url` or `desktop`, not both",
            ));
        }
        (Some(url), false) => found.extend(check_url(url)),
        (None, true) => {}
    }
    if let Some(secret) = &arguments.secret
        && let Err(error) = SecretReference::parse(secret)
    {
        found.push(ArgumentMistake::new("secret", error.to_string()));
    }
    found
}

fn check_url(url: &str) -> Option<ArgumentMistake> {
    if SecretReference::parse(url).is_ok() {
        return None;
    }
    let wrong = |message: &str| Some(ArgumentMistake::new("url", message));
    match Url::parse(url) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            wrong("must begin with `https://` or `http://`")
        }
        Ok(url) if url.password().is_some() || !url.username().is_empty() => {
            wrong("holds a password: put the address into a variable and say `env:NAME`")
        }
        Ok(_) => None,
        Err(_) => wrong("is no address"),
    }
}

async fn run(context: ActionContext) -> Outcome {
    let arguments = match read_arguments::<NotifyArguments>(&context.arguments) {
        Ok(arguments) => arguments,
        Err(mistakes) => {
            return Outcome::Failed {
                error: super::sentence(&mistakes),
                output: json!({}),
            };
        }
    };
    let Some(url) = arguments.url else {
        return notify_desktop(&context, arguments.title.as_deref()).await;
    };
    let message = Webhook {
        request: context.request,
        key: context.key.clone(),
        dir: context.path.clone(),
        url,
        secret: arguments.secret,
        body: body(&context).to_string(),
    };
    match enqueue(&context, &message).await {
        Ok(()) => Outcome::Queued,
        Err(error) => Outcome::Failed {
            error: format!("The webhook could not be recorded: {error}."),
            output: json!({}),
        },
    }
}

async fn notify_desktop(context: &ActionContext, title: Option<&str>) -> Outcome {
    let title = title.unwrap_or(&context.rule);
    let text = format!("{} {}", context.event.kind, context.event.subject);
    match desktop::notify(title, text.trim()).await {
        Ok(()) => Outcome::Done {
            summary: "The notice was shown.".into(),
            output: json!({}),
        },
        Err(error) => Outcome::Failed {
            error: format!("The notice was not shown: {error}."),
            output: json!({}),
        },
    }
}

fn body(context: &ActionContext) -> Value {
    let mut body = cloudevent::to_json(&context.event, context.journal.id());
    if let Some(fields) = body.as_object_mut() {
        fields.insert("tradewindrule".into(), context.rule.clone().into());
        fields.insert(
            "tradewindrequest".into(),
            context.request.to_string().into(),
        );
    }
    body
}

/// Puts the webhook into the outbox and takes it off the list of what a restart abandons, at once.
async fn enqueue(
    context: &ActionContext,
    message: &Webhook,
) -> Result<(), tradewind_journal::TxError> {
    let data =
        serde_json::to_string(message).map_err(|error| tradewind_journal::TxError::Refused {
            reason: error.to_string(),
        })?;
    let (key, request) = (message.key.clone(), message.request);
    context
        .journal
        .transact(move |tx| {
            let now = tx.now();
            tx.enqueue(TOPIC, &key, now, &data)?;
            crate::store::mark_queued(tx, request)
        })
        .await
}

/// A webhook in the outbox. Holds references to secrets, never one itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Webhook {
    /// The request it answers.
    pub(crate) request: Seq,
    /// The request's key, and the webhook's id.
    pub(crate) key: String,
    /// Repository that references are relative to.
    pub(crate) dir: PathBuf,
    url: String,
    secret: Option<String>,
    body: String,
}

/// What became of one try.
#[derive(Debug, PartialEq)]
pub(crate) enum Delivery {
    /// The receiver took it.
    Done {
        /// Its status.
        status: u16,
    },
    /// It may work later.
    Later {
        /// Why not now.
        error: String,
        /// When the receiver wants to be asked again.
        after: Option<Duration>,
    },
    /// It never will.
    Never {
        /// Why.
        error: String,
    },
}

impl Webhook {
    /// Tries once.
    pub(crate) async fn deliver(&self, egress: &dyn Egress, now: Timestamp) -> Delivery {
        let request = match self.request(now).await {
            Ok(request) => request,
            Err(error) => return Delivery::Never { error },
        };
        match egress.send(request).await {
            Ok(answer) if answer.status.is_success() => Delivery::Done {
                status: answer.status.as_u16(),
            },
            Ok(answer) => {
                let status = answer.status.as_u16();
                let error = format!("the receiver answered {status}");
                if matches!(status, 408 | 425 | 429 | 500..=599) {
                    Delivery::Later {
                        error,
                        after: retry_after(&answer.headers),
                    }
                } else {
                    Delivery::Never { error }
                }
            }
            Err(error) => match error.recovery() {
                tradewind_core::Recovery::Retry => Delivery::Later {
                    error: error.to_string(),
                    after: None,
                },
                tradewind_core::Recovery::RetryAfter(after) => Delivery::Later {
                    error: error.to_string(),
                    after: Some(after),
                },
                tradewind_core::Recovery::Fix | tradewind_core::Recovery::GiveUp => {
                    Delivery::Never {
                        error: error.to_string(),
                    }
                }
            },
        }
    }

    async fn request(&self, now: Timestamp) -> Result<Request, String> {
        let read = async |text: &str| -> Result<SecretString, SecretError> {
            SecretReference::parse(text)?.read(&self.dir).await
        };
        let url = match SecretReference::parse(&self.url) {
            Ok(_) => {
                let address = read(&self.url).await.map_err(|error| error.to_string())?;
                Url::parse(address.expose_secret()).or(Err("the secret address is no address"))?
            }
            Err(_) => Url::parse(&self.url).map_err(|error| error.to_string())?,
        };
        let mut request = Request::new(Method::POST, url);
        request.timeout = TIMEOUT;
        request.max_body_bytes = MAX_ANSWER_BYTES;
        request.body = self.body.clone().into_bytes().into();
        let seconds = now.as_second().to_string();
        let mut headers = vec![
            ("content-type", "application/cloudevents+json".to_owned()),
            (
                "user-agent",
                concat!("tradewind/", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
            ("webhook-id", self.key.clone()),
            ("webhook-timestamp", seconds.clone()),
        ];
        if let Some(secret) = &self.secret {
            let secret = read(secret).await.map_err(|error| error.to_string())?;
            let signature = sign(&secret, &self.key, &seconds, self.body.as_bytes())?;
            headers.push(("webhook-signature", signature));
        }
        for (name, value) in headers {
            let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
            request.headers.insert(HeaderName::from_static(name), value);
        }
        Ok(request)
    }
}

/// Signs as Standard Webhooks says; a secret that begins with `whsec_` is base64.
fn sign(secret: &SecretString, id: &str, seconds: &str, body: &[u8]) -> Result<String, String> {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let text = secret.expose_secret();
    let key = match text.strip_prefix("whsec_") {
        Some(encoded) => base64
            .decode(encoded)
            .or(Err("the signing secret is no base64"))?,
        None => text.as_bytes().to_vec(),
    };
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&key).or(Err("the signing secret has no usable length"))?;
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        mac.update(part);
    }
    Ok(format!("v1,{}", base64.encode(mac.finalize().into_bytes())))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get("retry-after")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(MAX_DELAY))
}

/// Returns how long to wait after try number `attempts`; `dice` is any number.
pub(crate) fn delay(attempts: u32, after: Option<Duration>, dice: u64) -> Duration {
    let doubled =
        FIRST_DELAY.saturating_mul(3_u32.saturating_pow(attempts.saturating_sub(1).min(16)));
    let base = doubled.min(MAX_DELAY);
    let millis = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
    let jittered = millis / 2 + dice % millis.max(1);
    Duration::from_millis(jittered).max(after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_standard() {
        // The example of the Standard Webhooks specification's reference libraries.
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = sign(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(
            signature.unwrap(),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn delays_grow_jitter_and_end_at_an_hour() {
        for dice in [0, 1, 12_345, u64::MAX] {
            let first = delay(1, None, dice);
            assert!(first >= FIRST_DELAY / 2 && first < FIRST_DELAY * 3 / 2);
            assert!(delay(40, None, dice) < MAX_DELAY * 3 / 2);
        }
        assert_eq!(delay(1, Some(MAX_DELAY), 0), MAX_DELAY);
    }

    #[test]
    fn an_address_with_a_password_is_refused() {
        let found = Notify.check(&json!({"url": "https://me:pw@example.com/x"}));
        assert_eq!(found.len(), 1);
        assert!(
            Notify
                .check(&json!({"url": "env:HOOK", "secret": "file:key"}))
                .is_empty()
        );
        assert_eq!(
            Notify
                .check(&json!({"url": "ftp://x", "secret": "pw"}))
                .len(),
            2
        );
    }

    #[test]
    fn a_summary_never_shows_the_path_of_an_address() {
        let summary = Notify.summary(&json!({"url": "https://hooks.example.com/T0/SECRET"}));
        assert_eq!(summary, "Sends a webhook to hooks.example.com.");
    }
}
