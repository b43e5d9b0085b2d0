//! What scalars mean in YAML 1.2 as the reader of the script takes them, and when two of them are the same key.
//!
//! Not here: YAML 1.1, which `.pre-commit-config.yaml` is read as.

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Truth,
    Int,
    Float,
    Nothing,
    Time,
    Binary,
    Value,
}

/// Says what a plain scalar is.
pub(super) fn kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Kind::Truth,
        "=" => return Kind::Value,
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Kind::Text;
    }
    if is_float(text) {
        Kind::Float
    } else if is_int(text) {
        Kind::Int
    } else if is_time(text) {
        Kind::Time
    } else {
        Kind::Text
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, is: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'_' || is(byte))
}

fn is_float(text: &str) -> bool {
    let plain = unsigned(text);
    if matches!(plain, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match plain.find(['e', 'E']) {
        Some(at) => (&plain[..at], Some(&plain[at + 1..])),
        None => (plain, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_loose = exponent.is_none_or(|exponent| is_digits(unsigned(exponent)));
    let is_signed = exponent.is_none_or(|exponent| exponent.starts_with(['-', '+']));
    let is_number = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit()) && all(text, |byte| byte.is_ascii_digit())
    };
    match mantissa.split_once('.') {
        Some(("", part)) => all(part, |byte| byte.is_ascii_digit()) && is_loose && is_signed,
        Some((whole, part)) => {
            is_number(whole)
                && (part.is_empty() || all(part, |byte| byte.is_ascii_digit()))
                && is_loose
        }
        None => exponent.is_some() && is_number(mantissa) && is_loose,
    }
}

fn is_int(text: &str) -> bool {
    let plain = unsigned(text);
    let rest = |prefix: &str| plain.strip_prefix(prefix);
    rest("0b").is_some_and(|bits| all(bits, |byte| matches!(byte, b'0' | b'1')))
        || rest("0o").is_some_and(|digits| all(digits, |byte| matches!(byte, b'0'..=b'7')))
        || rest("0x").is_some_and(|digits| all(digits, |byte| byte.is_ascii_hexdigit()))
        || all(plain, |byte| byte.is_ascii_digit())
}

/// Whether it has the shape of a date, or of a date and a time.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .take(11)
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if shape == "0000-00-00" {
        return text.len() == 10;
    }
    let Some((date, time)) = text.split_once(['T', 't', ' ', '\t']) else {
        return false;
    };
    parts(date, &[4, 2, 2], '-').is_some() && clock(time.trim_start_matches([' ', '\t'])).is_some()
}

/// Reads numbers with at most so many digits each; the first has exactly as many.
fn parts(text: &str, digits: &[usize], separator: char) -> Option<Vec<u32>> {
    let parts: Vec<&str> = text.split(separator).collect();
    if parts.len() != digits.len() {
        return None;
    }
    parts
        .iter()
        .zip(digits)
        .enumerate()
        .map(|(at, (part, most))| {
            let is_long_enough = at > 0 || part.len() == *most;
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && is_long_enough && part.len() <= *most).then(|| part.parse().ok())?
        })
        .collect()
}

/// Reads `h:mm:ss` with a fraction and a zone: hour, minute, second.
fn clock(text: &str) -> Option<[u32; 3]> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != ':')
        .unwrap_or(text.len());
    let (time, mut rest) = text.split_at(end);
    let [hour, minute, second] = time.split(':').collect::<Vec<_>>().try_into().ok()?;
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || second.len() != 2 {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let zone = rest.trim_start_matches([' ', '\t']);
    let is_zone = zone.is_empty() && rest.is_empty() || zone == "Z" || {
        let offset = zone.strip_prefix(['-', '+']).unwrap_or_default();
        let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "00"));
        (1..=2).contains(&hours.len())
            && minutes.len() == 2
            && [hours, minutes]
                .iter()
                .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_zone.then_some([
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
    ])
}

/// Returns a form that equal keys share, and differing ones do not.
///
/// # Errors
/// A text that a tag calls something that it is not, and dates that no calendar has.
pub(super) fn canonical(text: &str, kind: Kind) -> Result<String, String> {
    let wrong = || format!("{text:?} is not what its tag says");
    Ok(match kind {
        Kind::Text | Kind::Value => format!("s:{text}"),
        Kind::Nothing => "n:null".to_owned(),
        Kind::Truth => match text.to_ascii_lowercase().as_str() {
            // Python takes `True` and 1 for the same key.
            "true" | "yes" | "on" | "y" => "f:1".to_owned(),
            "false" | "no" | "off" | "n" => "f:0".to_owned(),
            _ => return Err(wrong()),
        },
        Kind::Int => int(text).ok_or_else(wrong)?,
        Kind::Float => float(text).ok_or_else(wrong)?,
        Kind::Binary => format!("b:{text}"),
        Kind::Time => {
            if !is_time(text) {
                return Err(wrong());
            }
            if !is_in_calendar(text) {
                return Err(format!("{text:?} is in no calendar"));
            }
            format!("t:{text}")
        }
    })
}

fn int(text: &str) -> Option<String> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    let (sign, plain) = match clean.strip_prefix('-') {
        Some(plain) => ("-", plain),
        None => ("", clean.strip_prefix('+').unwrap_or(&clean)),
    };
    let (digits, radix) = if let Some(digits) = plain.strip_prefix("0b") {
        (digits, 2)
    } else if let Some(digits) = plain.strip_prefix("0x") {
        (digits, 16)
    } else if let Some(digits) = plain.strip_prefix("0o") {
        (digits, 8)
    } else {
        (plain, 10)
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(match u128::from_str_radix(digits, radix) {
        Ok(0) => "f:0".to_owned(),
        Ok(value) => format!("f:{sign}{value}"),
        // Beyond any sense as a key: compared by its digits.
        Err(_) => format!("f:{sign}{radix}:{}", digits.trim_start_matches('0')),
    })
}

fn float(text: &str) -> Option<String> {
    let clean: String = text
        .chars()
        .filter(|c| *c != '_')
        .collect::<String>()
        .to_ascii_lowercase();
    let value = match unsigned(&clean) {
        ".inf" if clean.starts_with('-') => f64::NEG_INFINITY,
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ => clean.parse().ok()?,
    };
    // The same number as a whole number has the same form: `1.0` and `1`.
    Some(if value == 0.0 {
        "f:0".to_owned()
    } else {
        format!("f:{value}")
    })
}

/// Whether its day, month, hour and so on are ones that there are.
fn is_in_calendar(text: &str) -> bool {
    let (date, time) = text
        .split_once(['T', 't', ' ', '\t'])
        .unwrap_or((text, "0:00:00"));
    let Some(date) = parts(date, &[4, 2, 2], '-') else {
        return false;
    };
    let [year, month, day] = date[..] else {
        return false;
    };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let is_clock = clock(time.trim_start_matches([' ', '\t']))
        .is_some_and(|[hour, minute, second]| hour < 24 && minute < 60 && second < 60);
    year > 0 && (1..=days).contains(&day) && is_clock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_the_script_takes_them_for() {
        for (text, expected) in [
            ("1", Kind::Int),
            ("0o7", Kind::Int),
            ("-0x1f", Kind::Int),
            ("1_0", Kind::Int),
            ("1e3", Kind::Float),
            ("1.", Kind::Float),
            (".5", Kind::Float),
            (".5e3", Kind::Text),
            (".5e+3", Kind::Float),
            ("-.inf", Kind::Float),
            ("2024-01-02", Kind::Time),
            ("2024-1-2 3:04:05.6 +01:00", Kind::Time),
            ("2024-1-2", Kind::Text),
            ("1:30", Kind::Text),
            ("yes", Kind::Text),
            ("TRUE", Kind::Truth),
            ("~", Kind::Nothing),
            ("0x", Kind::Text),
            ("-", Kind::Text),
            ("1.2.3", Kind::Text),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        let same = |a: &str, b: &str| canonical(a, kind(a)) == canonical(b, kind(b));
        assert!(
            same("1", "01")
                && same("1.0", "1")
                && same("true", "1")
                && same("0x10", "16")
                && same("1e3", "1000")
        );
        assert!(!same("1", "-1") && !same("a", "b") && same("0", "-0"));
        assert!(canonical("2023-02-29", Kind::Time).is_err());
        assert!(canonical("2024-02-29T25:00:00", Kind::Time).is_err());
        assert!(canonical("x", Kind::Int).is_err());
    }
}
