//! What was missed: fetched by REST, through the governor like every other call.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tradewind_catalog::UseCase;
use tradewind_core::{Recovery, Trade};
use tradewind_quota::{Class, Urgency};

use super::Link;
use crate::moments::{MomentAsk, ROWS};
use crate::service::{MarketError, When};
use crate::stream::sequence::{Filled, Gap, MAX_TRIES};
use crate::stream::topic::{Subject, Told, What};

/// What was fetched for a gap, or why it was not and whether it may be later.
pub(super) struct Fetched {
    pub(super) subject: Subject,
    pub(super) rows: Result<Vec<Trade>, (String, bool)>,
}

impl Link {
    /// Has fetched what is missing, where something is.
    pub(super) fn look_for_gaps(&mut self) {
        let now_ms = self.now_ms();
        let mut found = Vec::new();
        for (subject, held) in &mut self.held {
            if !held.is_subscribed {
                continue;
            }
            if let Some(gap) = held
                .sequence
                .as_mut()
                .and_then(|sequence| sequence.gap(now_ms))
            {
                held.gap = Some(gap.clone());
                found.push((subject.clone(), gap, Arc::clone(&held.topic)));
            }
        }
        for (subject, gap, topic) in found {
            // What a break may have lost is said when it is known.
            if gap.attempt == 1 && gap.missing.is_some() {
                self.notice(&topic, What::GapFound, Some(&gap), gap.missing, None);
            }
            self.fetch(subject, &gap);
        }
    }

    pub(super) fn fetch(&self, subject: Subject, gap: &Gap) {
        let service = self.service.clone();
        let told = self.fetches.0.clone();
        let now = self.service.now();
        let ask = self.ask(&subject, gap, now);
        let name = format!("stream gap {} {}", self.key.0, subject.symbol);
        self.streams.supervisor().start_once(name, async move {
            let rows = match ask {
                Some(ask) => match service.moments(&ask).await {
                    Ok(moments) => Ok(moments.into_trades()),
                    Err(error) => {
                        let may_heal =
                            !matches!(error.recovery(), Recovery::Fix | Recovery::GiveUp);
                        Err((said(&error), may_heal))
                    }
                },
                None => Err(("it cannot be asked for by its symbol".to_owned(), false)),
            };
            // Nobody waits for it when the link has ended.
            drop(told.send(Fetched { subject, rows }).await);
        });
    }

    /// Puts the question for what is missing: a little more than it, so that the ends are seen to meet.
    pub(super) fn ask(
        &self,
        subject: &Subject,
        gap: &Gap,
        now: jiff::Timestamp,
    ) -> Option<MomentAsk> {
        let stream = self.words.stream();
        let instrument = self.streams.instrument(&self.key, subject)?;
        let slack = SignedDuration::from_millis(1);
        let mut ask = MomentAsk::of(UseCase::Trades, Some(instrument));
        ask.start = Some(When::Moment(gap.from.checked_sub(slack).ok()?));
        let end = gap
            .to
            .unwrap_or(now)
            .max(gap.from)
            .checked_add(slack)
            .ok()?;
        ask.end = Some(When::Moment(if stream.feed.is_some() {
            end.max(now)
        } else {
            end
        }));
        ask.provider = Some(self.key.0.clone());
        ask.feed.clone_from(&stream.feed);
        ask.max_age = Some(Duration::ZERO);
        ask.limit = ROWS.1;
        "stream".clone_into(&mut ask.consumer);
        ask.urgency = Urgency::of(Class::Live);
        Some(ask)
    }

    pub(super) fn fetched(&mut self, fetched: Fetched) {
        let now_ms = self.now_ms();
        let Some(held) = self.held.get_mut(&fetched.subject) else {
            return;
        };
        let topic = Arc::clone(&held.topic);
        let gap = held.gap.take();
        let Some(sequence) = &mut held.sequence else {
            return;
        };
        let attempt = gap.as_ref().map_or(MAX_TRIES, |gap| gap.attempt);
        let mut out = Vec::new();
        let mut because = None;
        let filled = match fetched.rows {
            Ok(rows) => sequence.fill(rows, now_ms, &mut out),
            Err((_, true)) if attempt < MAX_TRIES => sequence.fill(Vec::new(), now_ms, &mut out),
            Err((why, _)) => {
                because = Some(why);
                sequence.give_up(&mut out)
            }
        };
        topic.set_whole(sequence.is_whole());
        let gap = gap.as_ref();
        let because = because.as_deref();
        // What is said of a gap stands before what comes behind it.
        match filled {
            Filled::Again => {}
            Filled::Whole(trades) => {
                self.notice(&topic, What::GapFilled, gap, Some(trades), because);
            }
            Filled::Unproven(trades) => {
                self.notice(&topic, What::GapUnproven, gap, Some(trades), because);
            }
            Filled::Lost(_, missing) => {
                self.notice(&topic, What::GapUnfillable, gap, missing, because);
            }
        }
        topic.tell(out.into_iter().map(Told::Trade));
    }
}

/// Says what went wrong, with what it comes from.
fn said(error: &MarketError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text.chars().take(300).collect()
}
