//! Quoting what other programs said.

/// The last `count` lines that say something, in a readable width.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    const WIDEST: usize = 300;
    let mut lines: Vec<String> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(count)
        .map(|line| line.trim_end().chars().take(WIDEST).collect())
        .collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_leaves_out_what_says_nothing() {
        assert_eq!(last_lines("one\n\ntwo  \nthree\n\n", 2), "two\nthree");
        assert_eq!(last_lines("", 2), "");
        assert_eq!(last_lines(&"x".repeat(1000), 2).len(), 300);
    }
}
