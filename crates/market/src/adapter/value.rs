//! Numbers and times as they were written, read without a float in between.
//!
//! Why strict: a number that has more digits than can be held is told, not rounded, and a time of day
//! that comes twice in the night the clocks go back is told, not guessed.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use tradewind_catalog::answer::TimeForm;

/// Digits after the point that a decimal can have.
const MAX_SCALE: i64 = 28;

/// Reads a decimal: exactly, or not at all.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (number, exponent) = match rest.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let mut digits = format!("{whole}{fraction}");
    let mut scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
    // Zeros at the end say nothing about the value; they are dropped only where there is no room.
    while scale > 0 && digits.ends_with('0') && (scale > MAX_SCALE || digits.len() > 28) {
        digits.pop();
        scale -= 1;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(Decimal::ZERO);
    }
    let missing = usize::try_from(-scale.min(0)).ok()?;
    if digits.len() + missing > 29 || scale > MAX_SCALE {
        return None;
    }
    let mantissa: i128 = format!("{digits}{}", "0".repeat(missing)).parse().ok()?;
    let signed = if negative { -mantissa } else { mantissa };
    Decimal::try_from_i128_with_scale(signed, u32::try_from(scale.max(0)).ok()?).ok()
}

/// A time that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A moment.
    At(Timestamp),
    /// A day; which moment that is, the series knows.
    On(Date),
}

/// Reads a time of that form; local ones are in `zone`.
pub(super) fn time(text: &str, form: TimeForm, zone: &TimeZone) -> Option<Read> {
    match form {
        TimeForm::EpochSeconds => epoch(text, 1_000_000_000).map(Read::At),
        TimeForm::EpochNanos => epoch(text, 1).map(Read::At),
        TimeForm::Rfc3339 => text.parse().ok().map(Read::At),
        TimeForm::CompactDateTime => local(compact(text)?, zone).map(Read::At),
        TimeForm::Date => text.parse().ok().map(Read::On),
        TimeForm::Month => format!("{text}-01").parse().ok().map(Read::On),
        // A moment before 1970 has its sign in front.
        TimeForm::DateOrEpochMillis if text.get(1..).is_some_and(|rest| rest.contains('-')) => {
            text.parse().ok().map(Read::On)
        }
        TimeForm::EpochMillis | TimeForm::DateOrEpochMillis => epoch(text, 1_000_000).map(Read::At),
        // A date parses as a date and time of midnight, so the shorter one is tried first.
        TimeForm::DateOrDateTime if text.len() <= 10 => text.parse().ok().map(Read::On),
        TimeForm::LocalDateTime | TimeForm::DateOrDateTime => {
            local(text.parse().ok()?, zone).map(Read::At)
        }
    }
}

/// Returns the date that a time begins with, whatever follows.
pub(super) fn date(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

fn epoch(text: &str, nanos: i64) -> Option<Timestamp> {
    let exact = decimal(text)?.checked_mul(Decimal::from(nanos))?;
    // More digits than a nanosecond has would have to be rounded.
    let whole = exact.is_integer().then(|| exact.trunc())?;
    let nanos: i128 = whole.to_string().split('.').next()?.parse().ok()?;
    Timestamp::from_nanosecond(nanos).ok()
}

/// A time of day that there was once that day. In the night the clocks change it may come twice or never.
fn local(at: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned(at)
        .unambiguous()
        .ok()
        .map(|zoned| zoned.timestamp())
}

fn compact(text: &str) -> Option<DateTime> {
    let form = if text.len() > 13 {
        "%Y%m%dT%H%M%S"
    } else {
        "%Y%m%dT%H%M"
    };
    DateTime::strptime(form, text).ok()
}

/// Writes a moment in that form; local ones are in `zone`. `is_day` chooses the date where either will do.
pub(super) fn write(at: Timestamp, form: TimeForm, zone: &TimeZone, is_day: bool) -> String {
    let local = zone.to_datetime(at);
    match form {
        TimeForm::EpochSeconds => at.as_second().to_string(),
        TimeForm::EpochNanos => at.as_nanosecond().to_string(),
        TimeForm::Rfc3339 => at.to_string(),
        TimeForm::CompactDateTime => local.strftime("%Y%m%dT%H%M").to_string(),
        TimeForm::Date => local.date().to_string(),
        TimeForm::Month => local.strftime("%Y-%m").to_string(),
        TimeForm::DateOrEpochMillis | TimeForm::DateOrDateTime if is_day => {
            local.date().to_string()
        }
        TimeForm::EpochMillis | TimeForm::DateOrEpochMillis => at.as_millisecond().to_string(),
        TimeForm::LocalDateTime | TimeForm::DateOrDateTime => {
            local.strftime("%Y-%m-%dT%H:%M:%S").to_string()
        }
    }
}

/// Returns the shortest step between two times of that form, in nanoseconds.
pub(super) const fn step_ns(form: TimeForm) -> i64 {
    match form {
        TimeForm::EpochNanos => 1,
        TimeForm::EpochMillis | TimeForm::DateOrEpochMillis => 1_000_000,
        TimeForm::CompactDateTime => 60_000_000_000,
        TimeForm::EpochSeconds
        | TimeForm::Rfc3339
        | TimeForm::LocalDateTime
        | TimeForm::Date
        | TimeForm::Month
        | TimeForm::DateOrDateTime => 1_000_000_000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn length(text: &str) -> i64 {
        i64::try_from(text.len()).unwrap()
    }

    /// Sign, digits without zeros in front and behind, and the power of ten: what a text is worth.
    fn worth(text: &str) -> (bool, String, i64) {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = number
            .trim_start_matches('-')
            .split_once('.')
            .unwrap_or((number.trim_start_matches('-'), ""));
        let digits = format!("{whole}{fraction}");
        let trimmed = digits.trim_end_matches('0');
        let power =
            exponent.parse::<i64>().unwrap() - length(fraction) + length(&digits) - length(trimmed);
        let trimmed = trimmed.trim_start_matches('0').to_owned();
        let is_zero = trimmed.is_empty();
        (
            text.starts_with('-') && !is_zero,
            trimmed,
            if is_zero { 0 } else { power },
        )
    }

    proptest! {
        #[test]
        fn a_number_is_worth_what_was_written_or_refused(
            text in "-?(0|[1-9][0-9]{0,32})(\\.[0-9]{1,32})?([eE][+-]?[0-9]{1,2})?",
        ) {
            if let Some(read) = decimal(&text) {
                prop_assert_eq!(worth(&read.to_string()), worth(&text));
            } else {
                let (_, digits, power) = worth(&text);
                let scale = -power;
                prop_assert!(digits.len() > 28 || scale > 28 || length(&digits) + power > 28, "{}", text);
            }
        }

        #[test]
        fn every_price_of_28_digits_survives(whole in 0..10_u64.pow(14), fraction in 0..10_u64.pow(14)) {
            let text = format!("{whole}.{fraction:014}");
            prop_assert_eq!(decimal(&text).unwrap().to_string(), text);
        }

        #[test]
        fn a_moment_reads_back_as_it_was_written(second in -2_000_000_000_i64..4_000_000_000) {
            let at = Timestamp::from_second(second).unwrap();
            for form in [TimeForm::EpochSeconds, TimeForm::EpochMillis, TimeForm::EpochNanos, TimeForm::Rfc3339,
                TimeForm::LocalDateTime, TimeForm::DateOrEpochMillis, TimeForm::DateOrDateTime] {
                let text = write(at, form, &TimeZone::UTC, false);
                prop_assert_eq!(time(&text, form, &TimeZone::UTC), Some(Read::At(at)), "{:?}", form);
            }
        }
    }

    #[test]
    fn small_and_large_powers_are_exact() {
        assert_eq!(decimal("1.9e-7").unwrap().to_string(), "0.00000019");
        assert_eq!(decimal("2E+3").unwrap().to_string(), "2000");
        assert_eq!(decimal("86.4900").unwrap().to_string(), "86.4900");
        assert_eq!(decimal("-0.0"), Some(Decimal::ZERO));
        for text in [
            "",
            ".",
            "-",
            "1.",
            "1e",
            "NaN",
            "0x1",
            "1_0",
            "1e-40",
            "1e999999999",
            ".5e1",
        ] {
            let wanted = if text == "1." {
                Some(Decimal::ONE)
            } else {
                None
            };
            assert_eq!(decimal(text), wanted, "{text}");
        }
        let long = "0.12345678901234567890123456789";
        assert_eq!(
            decimal(long),
            None,
            "29 digits after the point would have to be rounded"
        );
    }

    #[test]
    fn a_time_that_comes_twice_or_never_is_not_guessed() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let read = |text| time(text, TimeForm::LocalDateTime, &zone);
        assert_eq!(read("2026-11-01 01:30:00"), None);
        assert_eq!(read("2026-03-08 02:30:00"), None);
        let after = read("2026-11-01 02:00:00");
        assert_eq!(
            after,
            Some(Read::At("2026-11-01T07:00:00Z".parse().unwrap()))
        );
        let before = read("2026-11-01 00:59:00");
        assert_eq!(
            before,
            Some(Read::At("2026-11-01T04:59:00Z".parse().unwrap()))
        );
    }

    #[test]
    fn a_fraction_of_an_epoch_keeps_its_nanoseconds() {
        let read = time("1710327959.1733468", TimeForm::EpochSeconds, &TimeZone::UTC);
        assert_eq!(
            read,
            Some(Read::At("2024-03-13T11:05:59.1733468Z".parse().unwrap()))
        );
        assert_eq!(
            time("1.0000000001", TimeForm::EpochSeconds, &TimeZone::UTC),
            None
        );
        let compact = time("20240131T153007", TimeForm::CompactDateTime, &TimeZone::UTC);
        assert_eq!(
            compact,
            Some(Read::At("2024-01-31T15:30:07Z".parse().unwrap()))
        );
    }
}
