//! The part of a page that is about endpoints: address, cost, pages, rows, parameters.
//!
//! Not here: the rest of the page.

use std::fmt::{self, Write as _};

use tradewind_core::Interval;

use super::{cell, doubt, doubted, remarks, spaced};
use crate::answer::SpanBound;
use crate::endpoint::{Endpoint, Parameter, Place, UseCase};
use crate::offer::{Offering, Stamp};
use crate::provider::Provider;

pub(super) fn write_endpoints(out: &mut String, provider: &Provider) -> fmt::Result {
    writeln!(out, "\n## Endpoints")?;
    for use_case in UseCase::ALL {
        let mut heading = Some(use_case.as_str());
        for endpoint in provider.endpoints.iter().filter(|e| e.use_case == use_case) {
            if let Some(heading) = heading.take() {
                writeln!(out, "\n### For {heading}")?;
            }
            write_endpoint(out, endpoint)?;
        }
    }
    Ok(())
}

fn write_endpoint(out: &mut String, endpoint: &Endpoint) -> fmt::Result {
    let query: Vec<_> = endpoint
        .conditions
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let title = doubted(format!("`{}`", endpoint.id), endpoint.basis.as_ref());
    writeln!(out, "\n#### {title}\n")?;
    writeln!(
        out,
        "`{} {}{mark}{}` on {}\n",
        endpoint.method,
        endpoint.path,
        query.join("&"),
        endpoint.on.join(", ")
    )?;
    writeln!(
        out,
        "{}{}\n",
        endpoint.summary,
        remarks(endpoint.note.as_deref(), endpoint.basis.as_ref())
    )?;
    writeln!(out, "- Cost: {}.", endpoint.cost)?;
    if !endpoint.plans.is_empty() {
        writeln!(out, "- Plans: {}.", endpoint.plans.join(", "))?;
    }
    if let Some(pages) = &endpoint.pages {
        writeln!(out, "- Pages: {pages}.")?;
    }
    if let Some(success) = &endpoint.success {
        let places = success
            .present
            .iter()
            .chain(&success.any)
            .filter(|p| !p.as_str().is_empty());
        let places: Vec<_> = places
            .map(|place| format!("`{}`", place.as_str()))
            .collect();
        let both = if success.any.is_empty() {
            " and "
        } else {
            " or "
        };
        match places.as_slice() {
            [] => writeln!(out, "- Success: the answer is a list.")?,
            _ => writeln!(out, "- Success: the answer has {}.", places.join(both))?,
        }
    }
    write_answer(out, endpoint)?;
    for offer in &endpoint.offers {
        write_offer(out, offer)?;
    }
    if !endpoint.parameters.is_empty() {
        writeln!(out, "\n| Parameter | Values | Remarks |\n|---|---|---|")?;
    }
    for parameter in &endpoint.parameters {
        write_parameter(out, parameter)?;
    }
    Ok(())
}

fn write_offer(out: &mut String, offer: &Offering) -> fmt::Result {
    let mut facts = Vec::new();
    facts.push(match (offer.class, &offer.venue) {
        (Some(class), Some(venue)) => format!("{} at `@{venue}`", class.as_words()),
        (Some(class), None) => class.as_words().to_owned(),
        (None, _) => "by words".to_owned(),
    });
    if offer.symbol.form != "{symbol}" {
        facts.push(format!("spelled `{}`", offer.symbol.form));
    }
    let mut intervals: Vec<_> = offer.intervals.keys().collect();
    // Their own order is by length; a text sorts `15m` before `1m`.
    intervals.sort_by_cached_key(|text| text.parse::<Interval>().ok());
    if !intervals.is_empty() {
        let intervals: Vec<_> = intervals.iter().map(|text| format!("`{text}`")).collect();
        facts.push(format!("bars of {}", intervals.join(", ")));
    }
    if !offer.adjust.is_empty() {
        let adjust: Vec<_> = offer
            .adjust
            .keys()
            .map(|adjust| format!("`{adjust}`"))
            .collect();
        facts.push(format!("adjusted {}", adjust.join(", ")));
    }
    if !offer.feeds.is_empty() {
        facts.push(format!("feeds {}", offer.feeds.join(", ")));
    }
    facts.extend(offer.day.as_ref().map(|day| {
        let begins = String::from(day.begins);
        format!("days begin at {begins} {}", day.zone)
    }));
    if offer.stamp != Stamp::Exact {
        facts.push(offer.stamp.as_words().to_owned());
    }
    let facts = doubted(facts.join("; "), offer.basis.as_ref());
    let remarks = remarks(offer.note.as_deref(), offer.basis.as_ref());
    writeln!(out, "- Offered: {facts}.{remarks}")
}

fn write_answer(out: &mut String, endpoint: &Endpoint) -> fmt::Result {
    let Some(answer) = &endpoint.answer else {
        return Ok(());
    };
    let mut facts = Vec::new();
    if let Some(rows) = &answer.rows {
        facts.extend(rows.max.map(|max| format!("at most {max} rows")));
        facts.extend(
            rows.default
                .map(|default| format!("{default} rows by default")),
        );
    }
    facts.extend(answer.spans.iter().map(bound));
    facts.extend(answer.sort.map(|sort| sort.as_words().to_owned()));
    facts.extend(answer.numbers.map(|numbers| numbers.as_words().to_owned()));
    if let Some(time) = &answer.time {
        let zone = time
            .zone
            .as_ref()
            .map_or(String::new(), |zone| format!(", zone: {zone}"));
        facts.push(format!(
            "time is the {} as {}{zone}",
            time.means.as_words(),
            time.form.as_words()
        ));
    }
    facts.extend(
        answer
            .adjustment
            .map(|adjustment| adjustment.as_words().to_owned()),
    );
    facts.extend(answer.feed.as_ref().map(|feed| format!("feed {feed}")));
    if let Some(finality) = &answer.finality {
        facts.push(format!("the last bar {}", finality.last_bar.as_words()));
        facts.extend(
            finality
                .settles
                .map(|settles| format!("a bar settles within {settles}")),
        );
        if let (Some(until), zone) = (finality.corrected_until, finality.zone.as_deref()) {
            facts.push(format!(
                "corrected until {} {}",
                String::from(until),
                zone.unwrap_or("UTC")
            ));
        }
    }
    let notes = [
        answer.time.as_ref().and_then(|time| time.note.as_deref()),
        answer
            .finality
            .as_ref()
            .and_then(|finality| finality.note.as_deref()),
    ];
    let notes = spaced(notes.into_iter().flatten());
    let facts = doubted(facts.join("; "), answer.basis.as_ref());
    writeln!(
        out,
        "- Rows: {facts}.{notes}{}",
        remarks(None, answer.basis.as_ref())
    )
}

fn write_parameter(out: &mut String, parameter: &Parameter) -> fmt::Result {
    let name = doubted(format!("`{}`", parameter.name), parameter.basis.as_ref());
    let mut about = Vec::new();
    if parameter.required {
        about.push("Needed.".to_owned());
    }
    match parameter.place {
        Place::Query => {}
        Place::Path => about.push("In the path.".to_owned()),
        Place::Body => about.push("In the body.".to_owned()),
    }
    about.extend(
        parameter
            .time
            .map(|time| format!("Written as {}.", time.as_words())),
    );
    about.extend(
        parameter
            .default
            .as_ref()
            .map(|default| format!("Default `{default}`.")),
    );
    about.extend(parameter.max.map(|max| format!("At most {max}.")));
    about.extend(parameter.note.clone());
    about.extend(doubt(parameter.basis.as_ref()));
    let values: Vec<_> = parameter
        .values
        .iter()
        .map(|value| format!("`{value}`"))
        .collect();
    writeln!(
        out,
        "| {name} | {} | {} |",
        cell(&values.join(", ")),
        cell(&about.join(" "))
    )
}

/// Returns what a bound on spans says.
fn bound(span: &SpanBound) -> String {
    let mut words = Vec::new();
    if !span.intervals.is_empty() {
        words.push(format!("with {}", span.intervals.join(", ")));
    }
    words.extend(span.call.map(|call| format!("at most {call} a call")));
    words.extend(span.back.map(|back| format!("at most {back} back")));
    words.join(" ")
}
