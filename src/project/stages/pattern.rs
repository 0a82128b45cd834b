//! Stages that are called alike: `pr-*`.

/// Which of several patterns a name is of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Best<'a> {
    /// None.
    None,
    /// This one.
    One(&'a str),
    /// These two, neither better than the other.
    Two(&'a str, &'a str),
}

/// The pattern that fits `name`: of several, the one that begins with more of it. Names without a star are none.
pub(super) fn best<'a>(patterns: impl Iterator<Item = &'a str>, name: &str) -> Best<'a> {
    let beginning = |pattern: &str| pattern.find('*').unwrap_or(pattern.len());
    let mut best = Best::None;
    for pattern in patterns.filter(|pattern| pattern.contains('*') && fits(pattern, name)) {
        best = match best {
            Best::None => Best::One(pattern),
            Best::One(other) | Best::Two(other, _) if beginning(pattern) > beginning(other) => Best::One(pattern),
            Best::One(other) if beginning(pattern) == beginning(other) => Best::Two(other, pattern),
            other => other,
        };
    }
    best
}

/// Whether `name` is of the pattern, in which each `*` is any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(beginning) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    // What comes first leaves the most to what follows.
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name, is_fitting) in [
            ("pr-*", "pr-12", true),
            ("pr-*", "pr-", true),
            ("pr-*", "prod", false),
            ("pr-*", "xpr-1", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-c", false),
            ("a*bb*bc", "abbc", false),
            ("a*-eu", "a-eu", true),
            ("a*-eu", "a-eu-1", false),
        ] {
            assert_eq!(fits(pattern, name), is_fitting, "{pattern} {name}");
        }
    }

    #[test]
    fn the_longest_beginning_is_best_in_any_order() {
        let all = ["p*", "pr-*", "pr-*-x", "pr-1*"];
        for patterns in [all.to_vec(), all.iter().rev().copied().collect()] {
            let best = |name| best(patterns.iter().copied(), name);
            assert_eq!(best("pr-12"), Best::One("pr-1*"));
            assert_eq!(best("pr-12-x"), Best::One("pr-1*"));
            assert_eq!(best("pr-2"), Best::One("pr-*"));
            assert_eq!(best("prod"), Best::One("p*"));
            assert_eq!(best("dev"), Best::None);
            assert!(matches!(best("pr-2-x"), Best::Two(..)));
        }
    }
}
