//! Times as people type them: `2h`, `3 days`, `2026-11-23`, `2026-11-23T09:30:00Z`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use crate::report::{Exit, Failure};

/// Reads a moment: a span counts back from `now`, a date or time without zone is local.
///
/// # Errors
/// A usage failure that shows the accepted forms.
pub(crate) fn parse_past(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let text = text.trim();
    let zone = TimeZone::system();
    let local = |civil: DateTime| civil.to_zoned(zone.clone()).map(|z: Zoned| z.timestamp());
    let parsed = text
        .parse::<Timestamp>()
        .or_else(|_not_absolute| text.parse::<DateTime>().and_then(local))
        .or_else(|_no_time| text.parse::<Date>().and_then(|d| local(d.at(0, 0, 0, 0))))
        .or_else(|_no_date| {
            let span: Span = text.parse()?;
            // Days and months have no fixed length; the user's calendar decides.
            now.to_zoned(zone.clone())
                .checked_sub(span.abs())
                .map(|z| z.timestamp())
        });
    parsed.map_err(|_in_no_form| {
        Failure::new(Exit::Usage, format!("{text:?} is no time"))
            .hint("write a span such as `2h` or `3 days`, a date such as `2026-11-23`, or a time such as `2026-11-23T09:30:00Z`")
    })
}

/// Reads a length of time such as `30d` or `12h`; a day counts as 24 hours.
///
/// # Errors
/// A usage failure that shows the accepted form.
pub(crate) fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let span: Span = text.trim().parse().map_err(|error| {
        format!("{text:?} is no length of time such as `30d` or `12h`: {error}")
    })?;
    let duration = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|error| format!("{text:?} has no fixed length: {error}"))?;
    std::time::Duration::try_from(duration).map_err(|_negative| format!("{text:?} is negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_the_hint_names_is_read() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(
            parse_past("2h", now).unwrap().to_string(),
            "2026-11-23T10:00:00Z"
        );
        assert_eq!(
            parse_past("3 days", now).unwrap().to_string(),
            "2026-11-20T12:00:00Z"
        );
        assert_eq!(
            parse_past("2026-11-23T09:30:00Z", now).unwrap().to_string(),
            "2026-11-23T09:30:00Z"
        );
        assert!(parse_past("2026-11-23", now).is_ok());
        assert!(parse_past("yesterday-ish", now).is_err());
    }

    #[test]
    fn a_length_of_time_has_a_unit() {
        assert_eq!(
            parse_duration("30d"),
            Ok(std::time::Duration::from_hours(720))
        );
        assert!(parse_duration("30").is_err());
        assert!(parse_duration("-3h").is_err());
    }
}
