//! What a scalar without quotes is in YAML 1.1, the way pre-commit's reader takes it.
//!
//! Why: `rev: 22.10` is a number there and refused, `verbose: yes` is a truth. Taking them otherwise would let a
//! file pass here that every other runner refuses, or turn a switch round.

/// What a scalar without quotes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Truth(bool),
    Number,
    Time,
    Nothing,
    /// `=` and `<<`, which mean something to YAML and nothing as a value.
    Sign,
}

/// Says what it is.
pub(super) fn scalar(text: &str) -> Scalar {
    match text {
        "=" | "<<" => Scalar::Sign,
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Nothing,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Truth(true)
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Truth(false)
        }
        _ if is_number(text) => Scalar::Number,
        _ if is_time(text) => Scalar::Time,
        _ => Scalar::Text,
    }
}

fn is_number(text: &str) -> bool {
    let plain = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(plain, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let all = |text: &str, is: fn(u8) -> bool| {
        !text.is_empty() && text.bytes().all(|byte| byte == b'_' || is(byte))
    };
    let digits = |text: &str| all(text, |byte| byte.is_ascii_digit());
    if let Some(rest) = plain.strip_prefix("0b") {
        return all(rest, |byte| matches!(byte, b'0' | b'1'));
    }
    if let Some(rest) = plain.strip_prefix("0x") {
        return all(rest, |byte| byte.is_ascii_hexdigit());
    }
    if plain == "0" {
        return true;
    }
    if let Some(rest) = plain.strip_prefix('0')
        && all(rest, |byte| matches!(byte, b'0'..=b'7'))
    {
        return true;
    }
    if !plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    if let Some((whole, parts)) = plain.split_once(':') {
        // Base 60: `1:30`, `1:30.5`.
        let (parts, fraction) = parts.split_once('.').unwrap_or((parts, "0"));
        let is_sixtieth = |part: &str| {
            (1..=2).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part.len() == 1 || part.as_bytes().first().is_some_and(|byte| *byte < b'6'))
        };
        return digits(whole)
            && parts.split(':').all(is_sixtieth)
            && (fraction.is_empty() || digits(fraction));
    }
    let Some((whole, fraction)) = plain.split_once('.') else {
        return !plain.starts_with('0') && digits(plain);
    };
    let (fraction, exponent) = fraction
        .split_once(['e', 'E'])
        .map_or((fraction, None), |(fraction, exponent)| {
            (fraction, Some(exponent))
        });
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    });
    let is_fraction = if whole.is_empty() {
        digits(fraction) && text == plain
    } else {
        digits(whole) && (fraction.is_empty() || digits(fraction))
    };
    is_fraction && is_exponent
}

fn is_time(text: &str) -> bool {
    let date = text.get(..10).unwrap_or(text);
    let shape: String = date
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let is_date = shape == "0000-00-00";
    let rest = text.get(10..).unwrap_or("");
    is_date && (rest.is_empty() || (rest.starts_with(['T', 't', ' ', '\t']) && rest.contains(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_number_is_one() {
        for text in [
            "3", "3.10", "-1", "0x1f", "1_000", "1e3.5", "22.1e+5", ".5", "1:30", "017", "0b1",
            ".inf",
        ] {
            let expected = text != "1e3.5";
            assert_eq!(scalar(text) == Scalar::Number, expected, "{text}");
        }
        for text in [
            "v3.10", "3.10.1", "08", "1e5", "a", "-", "1:90", "0x", "22.1e5", "-.5",
        ] {
            assert_eq!(scalar(text), Scalar::Text, "{text}");
        }
        assert_eq!(scalar("2024-01-02"), Scalar::Time);
        assert_eq!(scalar("yes"), Scalar::Truth(true));
        assert_eq!(scalar("Off"), Scalar::Truth(false));
        assert_eq!(scalar("~"), Scalar::Nothing);
    }
}
