//! Numbers as DynamoDB keeps them, worked out on their text: no float is exact enough.

/// Digits of a number that DynamoDB keeps, and the powers of ten that the first of them may have.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub(crate) const MOST_DIGITS: usize = 38;
const POWERS: std::ops::RangeInclusive<i64> = -130..=125;

/// Whether YAML 1.2's core schema (10.3.2) has it as a number: decimal, or `0x` and `0o`.
pub(crate) fn is_number(text: &str) -> bool {
    radix(text).is_some() || parts(text).is_some()
}

/// Whether a decimal number has a zero in front that isn't its only digit before the point.
pub(crate) fn has_leading_zero(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut bytes = unsigned.bytes();
    bytes.next() == Some(b'0') && bytes.next().is_some_and(|second| second.is_ascii_digit())
}

/// The one way to write a number, which is how DynamoDB gives it back: decimal, with neither exponent nor superfluous
/// zeros. None if it isn't one that DynamoDB can store exactly.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let decimal;
    let text = match radix(text) {
        Some((digits, radix)) => {
            // 39 digits fit: more than DynamoDB keeps.
            decimal = u128::from_str_radix(digits, radix).ok()?.to_string();
            &decimal
        }
        None => text,
    };
    let Parts {
        negative,
        whole,
        fraction,
        exponent,
    } = parts(text)?;
    let digits = format!("{whole}{fraction}");
    let from_first = digits.trim_start_matches('0');
    let significant = from_first.trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let leading = digits.len() - from_first.len();
    let exponent: i64 = exponent.parse().ok()?;
    let power = (i64::try_from(whole.len()).ok()? - 1 - i64::try_from(leading).ok()?).checked_add(exponent)?;
    if significant.len() > MOST_DIGITS || !POWERS.contains(&power) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    let Ok(before_point) = usize::try_from(power + 1) else {
        let zeros = "0".repeat(usize::try_from(-power - 1).ok()?);
        return Some(format!("{sign}0.{zeros}{significant}"));
    };
    Some(match significant.split_at_checked(before_point) {
        Some(("", fraction)) => format!("{sign}0.{fraction}"),
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{significant:0<before_point$}"),
    })
}

/// The digits that count of a canonical number.
pub(crate) fn significant_digits(canonical: &str) -> usize {
    let digits: String = canonical.bytes().filter(u8::is_ascii_digit).map(char::from).collect();
    digits.trim_matches('0').len()
}

/// The digits of `0x1F` and `0o17`, and their base.
fn radix(text: &str) -> Option<(&str, u32)> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text.strip_prefix("0o")?, 8),
    };
    let all = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    all.then_some((digits, radix))
}

struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: &'a str,
}

/// The parts of `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`.
fn parts(text: &str) -> Option<Parts<'_>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let valid = all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && all_digits(power)
        && !power.is_empty();
    valid.then_some(Parts {
        negative: text.starts_with('-'),
        whole,
        fraction,
        exponent,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_form() {
        for (text, wanted) in [
            ("1.50", "1.5"),
            ("0010.500", "10.5"),
            ("-0", "0"),
            ("-0.000e999999999999999999999", "0"),
            ("1e3", "1000"),
            ("+12.5E-1", "1.25"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-1e-3", "-0.001"),
            ("0x1F", "31"),
            ("0o17", "15"),
            (
                "0.1000000000000000055511151231257827",
                "0.1000000000000000055511151231257827",
            ),
            ("100", "100"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(canonical("1e-130").map(|text| text.len()), Some(132));
        assert_eq!(canonical("9.99E+125").map(|text| text.len()), Some(126));
    }

    #[test]
    fn what_dynamodb_cannot_keep_has_none() {
        for text in [
            "1e126",
            "1e-131",
            "1e99999999999999999999",
            "0.123456789012345678901234567890123456789",
            "0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1_000",
            "0b1",
            "-0x1F",
            "1.2.3",
            "١",
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_digit_survives(
            negative in any::<bool>(),
            digits in "[1-9]([0-9]{0,36}[1-9])?",
            zeros in 0_usize..5,
            exponent in -80_i32..80,
        ) {
            let sign = if negative { "-" } else { "" };
            let text = format!("{sign}{}.{digits}{}e{exponent}", "0".repeat(zeros), "0".repeat(zeros));
            let text = canonical(&text).expect("within the limits");
            // Neither more nor fewer digits, and the point where it was.
            let only: String = text.chars().filter(char::is_ascii_digit).collect();
            prop_assert_eq!(only.trim_matches('0'), digits.trim_matches('0'));
            let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
            let power = match whole.trim_start_matches('0') {
                "" => -1 - i32::try_from(fraction.len() - fraction.trim_start_matches('0').len()).expect("short"),
                whole => i32::try_from(whole.len()).expect("short") - 1,
            };
            prop_assert_eq!(power, exponent - 1);
            prop_assert_eq!(text.starts_with('-'), negative);
            let again = canonical(&text);
            prop_assert_eq!(again.as_deref(), Some(text.as_str()), "the form is final");
        }

        #[test]
        fn a_digit_too_many_is_refused(digits in "[1-9][0-9]{37,60}[1-9]") {
            prop_assert_eq!(canonical(&digits), None);
            let fraction = format!("0.{digits}");
            prop_assert_eq!(canonical(&fraction), None);
        }
    }
}
