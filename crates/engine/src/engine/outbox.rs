//! Empties the outbox of webhooks: tries each that is due, and records what became of it.
//!
//! A message stays in the outbox until its request has an outcome; a crash in between sends it once
//! more, with the same id, and the receiver drops it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tradewind_host::random;
use tradewind_journal::{Message, Tx, TxError};

use super::{Shared, dispatch};
use crate::action::Outcome;
use crate::action::notify::{self, Delivery, MAX_ATTEMPTS, TOPIC, Webhook};
use crate::store;

/// How many webhooks are tried at once.
const MAX_DELIVERIES: usize = 8;

/// Returns the messages that may be sent now.
pub(super) fn due(tx: &Tx<'_>) -> Result<Vec<Message>, TxError> {
    tx.due_messages(TOPIC, MAX_DELIVERIES)
}

/// Returns when the next one may be.
pub(super) fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>, TxError> {
    tx.next_message_due(TOPIC)
}

impl Shared {
    /// Tries messages, each in a task of its own, none twice at a time.
    pub(super) fn deliver(self: &Arc<Self>, messages: Vec<Message>) {
        for message in messages {
            let is_new = {
                let mut state = self.lock();
                state.delivering.len() < MAX_DELIVERIES && state.delivering.insert(message.id)
            };
            if !is_new {
                continue;
            }
            let shared = Arc::clone(self);
            self.supervisor
                .start_once(format!("webhook {}", message.key), async move {
                    let id = message.id;
                    let claim = Claim {
                        shared: Arc::clone(&shared),
                        id,
                    };
                    if let Err(error) = shared.try_message(message).await {
                        tracing::error!(%error, "webhook's outcome was not recorded");
                    }
                    drop(claim);
                });
        }
    }

    async fn try_message(&self, message: Message) -> Result<(), TxError> {
        let delivery = match serde_json::from_str::<Webhook>(&message.data) {
            Ok(webhook) => {
                let now = self.parts.clock.now();
                webhook.deliver(self.parts.egress.as_ref(), now).await
            }
            Err(error) => Delivery::Never {
                error: error.to_string(),
            },
        };
        let dice = random::bytes().map_or(0, u64::from_le_bytes);
        self.parts
            .journal
            .transact(move |tx| settle(tx, &message, delivery, dice))
            .await
    }
}

/// Records what became of one try.
fn settle(
    tx: &mut Tx<'_>,
    message: &Message,
    delivery: Delivery,
    dice: u64,
) -> Result<(), TxError> {
    let attempts = message.attempts + 1;
    let output = json!({ "attempts": attempts });
    let outcome = match delivery {
        Delivery::Later { error, after } if attempts < MAX_ATTEMPTS => {
            let wait: Duration = notify::delay(attempts, after, dice);
            let not_before = tx.now().checked_add(wait).unwrap_or(Timestamp::MAX);
            return tx.retry_message(message.id, not_before, &error).map(drop);
        }
        Delivery::Done { status } => Outcome::Done {
            summary: "The webhook was taken.".to_owned(),
            output: json!({ "attempts": attempts, "status": status }),
        },
        Delivery::Later { error, .. } => Outcome::Failed {
            error: format!("The webhook was given up after {attempts} tries: {error}."),
            output,
        },
        Delivery::Never { error } => Outcome::Failed {
            error: format!("The webhook was not taken: {error}."),
            output,
        },
    };
    tx.finish_message(message.id)?;
    let request = serde_json::from_str::<Webhook>(&message.data)
        .ok()
        .map(|webhook| webhook.request);
    let Some(row) = request
        .map(|seq| store::request(tx, seq))
        .transpose()?
        .flatten()
    else {
        return Ok(());
    };
    let requested = tx.get(row.seq)?.map_or(tx.now(), |event| event.recorded_at);
    let elapsed = tx.now().duration_since(requested).as_millis();
    let elapsed_ms = u64::try_from(elapsed).unwrap_or(0);
    dispatch::record_outcome(tx, &row, outcome, elapsed_ms, None).map(drop)
}

/// Frees a message however its try ends.
struct Claim {
    shared: Arc<Shared>,
    id: i64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.lock().delivering.remove(&self.id);
        self.shared.kick.notify_one();
    }
}
