//! Offers: a call can be made from each of them, and its answer can be read.
//!
//! Not here: whether the mapping is right; only a recorded answer shows that.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::tz::TimeZone;
use tradewind_core::Interval;

use super::{Rule, Sink};
use crate::answer::Moment;
use crate::endpoint::{Endpoint, ParameterRole, Place, UseCase};
use crate::offer::{self, AssetClass, Offering, Spelling, Stamp};
use crate::provider::Provider;

/// One offer and where it stands.
struct Case<'p> {
    endpoint: &'p Endpoint,
    offer: &'p Offering,
    endpoint_at: usize,
    offer_at: usize,
}

impl Case<'_> {
    fn say(&self, sink: &mut Sink<'_>, rule: Rule, key: &str, message: impl Into<String>) {
        let (endpoint_at, offer_at) = (self.endpoint_at, self.offer_at);
        let mut path: Vec<&dyn Display> = vec![&"endpoint", &endpoint_at, &"offer", &offer_at];
        if !key.is_empty() {
            path.push(&key);
        }
        sink.say(rule, &path, message);
    }
}

pub(super) fn check(provider: &Provider, sink: &mut Sink<'_>) {
    for (endpoint_at, endpoint) in provider.endpoints.iter().enumerate() {
        for (offer_at, offer) in endpoint.offers.iter().enumerate() {
            let case = Case {
                endpoint,
                offer,
                endpoint_at,
                offer_at,
            };
            check_mapping(&case, sink);
            check_values(&case, sink);
            check_intervals(&case, sink);
            check_zones(&case, sink);
            check_use(&case, sink);
            check_required(&case, sink);
        }
    }
}

fn check_mapping(case: &Case<'_>, sink: &mut Sink<'_>) {
    if let Err(error) = case.offer.rows.compile(&offer::VARIABLES) {
        case.say(sink, Rule::BadMapping, "rows", error.to_string());
    }
}

/// Every argument of an offer: the key it stands under, the parameter and the value.
fn arguments<'o>(case: &Case<'o>) -> Vec<(&'static str, Option<&'o str>, &'o str)> {
    let name = |role| case.endpoint.parameter_for(role).map(|p| p.name.as_str());
    let offer = case.offer;
    let spelled = |key, role, spelling: &'o Spelling| match spelling {
        Spelling::Value(value) => vec![(key, name(role), value.as_str())],
        Spelling::Arguments(all) => pairs(key, all),
    };
    let mut found = pairs("arguments", &offer.arguments);
    for spelling in offer.intervals.values() {
        found.extend(spelled("intervals", ParameterRole::Interval, spelling));
    }
    for spelling in offer.adjust.values() {
        found.extend(spelled("adjust", ParameterRole::Adjustment, spelling));
    }
    for feed in &offer.feeds {
        found.push(("feeds", name(ParameterRole::Feed), feed));
    }
    for depth in &offer.depths {
        found.extend(pairs("depth", &depth.arguments));
    }
    found
}

fn pairs<'o>(
    key: &'static str,
    all: &'o BTreeMap<String, String>,
) -> Vec<(&'static str, Option<&'o str>, &'o str)> {
    all.iter()
        .map(|(name, value)| (key, Some(name.as_str()), value.as_str()))
        .collect()
}

fn check_values(case: &Case<'_>, sink: &mut Sink<'_>) {
    for (key, name, value) in arguments(case) {
        let Some(name) = name else {
            let message = format!("no parameter takes {value:?}");
            case.say(sink, Rule::UnknownParameter, key, message);
            continue;
        };
        let Some(parameter) = case.endpoint.parameter(name) else {
            let message = format!("the unknown parameter `{name}` is given");
            case.say(sink, Rule::UnknownParameter, key, message);
            continue;
        };
        let is_above = value
            .parse::<u32>()
            .is_ok_and(|number| parameter.max.is_some_and(|max| number > max));
        if (!parameter.values.is_empty() && !parameter.values.iter().any(|v| v == value))
            || is_above
        {
            let message = format!("`{name}` does not take {value:?}");
            case.say(sink, Rule::BadValue, key, message);
        }
    }
}

fn check_intervals(case: &Case<'_>, sink: &mut Sink<'_>) {
    let mut seen = Vec::new();
    for text in case.offer.intervals.keys() {
        match text.parse::<Interval>() {
            Err(error) => case.say(sink, Rule::BadInterval, "intervals", error.to_string()),
            Ok(interval) if seen.contains(&interval) => {
                let message = format!("{text:?} is {interval} once more");
                case.say(sink, Rule::BadInterval, "intervals", message);
            }
            Ok(interval) => seen.push(interval),
        }
    }
    let is_bars = case.endpoint.use_case == UseCase::Bars;
    if is_bars == case.offer.intervals.is_empty() {
        let message = if is_bars {
            "no length of bars is offered"
        } else {
            "only bars have a length"
        };
        case.say(sink, Rule::BadInterval, "intervals", message);
    }
}

fn check_zones(case: &Case<'_>, sink: &mut Sink<'_>) {
    // Between two clock changes bars of several hours would begin at other times of day.
    let has_hours = case
        .offer
        .intervals
        .keys()
        .any(|text| matches!(text.parse(), Ok(Interval::Hours(2..))));
    if let Some(day) = &case.offer.day
        && has_hours
        && (day.zone != "UTC" || day.begins.0 != jiff::civil::Time::midnight())
    {
        let message = "bars of several hours need days that begin at midnight UTC";
        case.say(sink, Rule::BadZone, "day", message);
    }
    if let Some(day) = &case.offer.day
        && TimeZone::get(&day.zone).is_err()
    {
        let message = format!("{:?} is no time zone", day.zone);
        case.say(sink, Rule::BadZone, "day", message);
    }
    let finality = case
        .endpoint
        .answer
        .as_ref()
        .and_then(|answer| answer.finality.as_ref());
    if let Some(zone) = finality.and_then(|finality| finality.zone.as_ref())
        && TimeZone::get(zone).is_err()
    {
        let message = format!("{zone:?} is no time zone");
        let at = case.endpoint_at;
        sink.say(
            Rule::BadZone,
            &[&"endpoint", &at, &"answer", &"finality"],
            message,
        );
    }
}

/// What the use case needs to be read.
fn check_use(case: &Case<'_>, sink: &mut Sink<'_>) {
    let (endpoint, offer) = (case.endpoint, case.offer);
    let mut say = |key: &str, message: &str| {
        case.say(sink, Rule::UnusableOffer, key, message);
    };
    if offer::fields(endpoint.use_case).is_none() {
        say("", "there are no rows for what the endpoint is used for");
    }
    if endpoint.success.is_none() {
        say("", "nothing says how success is recognised");
    }
    let time = endpoint
        .answer
        .as_ref()
        .and_then(|answer| answer.time.as_ref());
    if time.is_none() && offer.stamp != Stamp::Arrival {
        say("stamp", "nothing says how the time of a row is written");
    }
    let is_event = time.is_some_and(|time| time.means == Moment::Event);
    let is_end = time.is_some_and(|time| time.means == Moment::End);
    match endpoint.use_case {
        UseCase::Bars => {
            if offer.day.is_none() {
                say("day", "nothing says when a day begins");
            }
            if is_event || is_end || offer.stamp == Stamp::Arrival {
                say("stamp", "a bar needs a stamp that says where it starts");
            }
            if offer.class == Some(AssetClass::UsStock) && offer.adjust.is_empty() {
                say("adjust", "nothing says how prices of stocks are adjusted");
            }
        }
        UseCase::Quote
        | UseCase::Trades
        | UseCase::News
        | UseCase::Depth
        | UseCase::Reference
        | UseCase::Fundamentals
        | UseCase::Economic
        | UseCase::Account
        | UseCase::Order => {
            if !offer.adjust.is_empty() || matches!(offer.stamp, Stamp::Date | Stamp::Within) {
                say(
                    "",
                    "only bars are adjusted, or have a stamp that is not exact",
                );
            }
        }
    }
    for role in [ParameterRole::Start, ParameterRole::End] {
        if endpoint
            .parameter_for(role)
            .is_some_and(|parameter| parameter.time.is_none())
        {
            say("", "nothing says how a span is written");
        }
    }
    let asked_by = if offer.class.is_some() {
        [ParameterRole::Symbol, ParameterRole::Symbols].as_slice()
    } else {
        [ParameterRole::Search].as_slice()
    };
    if asked_by
        .iter()
        .all(|role| endpoint.parameter_for(*role).is_none())
    {
        say("class", "no parameter takes what is asked for");
    }
    let forms = ["{symbol}", "{base}", "{quote}"];
    if !forms.iter().any(|form| offer.symbol.form.contains(form)) {
        say("symbol", "the symbol is not in its form");
    }
}

/// Every parameter without which a call is refused has a value.
fn check_required(case: &Case<'_>, sink: &mut Sink<'_>) {
    let offer = case.offer;
    let names = |spelling: &Spelling, role| {
        let lone = case.endpoint.parameter_for(role).map(|p| p.name.as_str());
        spelling
            .arguments(lone)
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    for parameter in &case.endpoint.parameters {
        let name = &parameter.name;
        let by_role = match parameter.role {
            Some(
                ParameterRole::Symbol
                | ParameterRole::Symbols
                | ParameterRole::Search
                | ParameterRole::Start
                | ParameterRole::End
                | ParameterRole::Slice,
            ) => true,
            Some(ParameterRole::Feed) => !offer.feeds.is_empty(),
            Some(_) | None => false,
        };
        let by_all = |all: Vec<&Spelling>, role| {
            !all.is_empty()
                && all
                    .iter()
                    .all(|spelling| names(spelling, role).contains(name))
        };
        let is_given = by_role
            || offer.arguments.contains_key(name)
            || by_all(offer.intervals.values().collect(), ParameterRole::Interval)
            || by_all(offer.adjust.values().collect(), ParameterRole::Adjustment);
        if (parameter.required || parameter.place == Place::Path) && !is_given {
            let message = format!("nothing says what `{name}` is");
            case.say(sink, Rule::UnusableOffer, "arguments", message);
        }
    }
}
