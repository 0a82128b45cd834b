//! "Did you mean …?"

/// The known word nearest to `word`, when it is near enough to be a slip.
pub(crate) fn did_you_mean<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()),
                *candidate,
            )
        })
        .min()
        // Of a word of one letter nothing is left once that is another.
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count() / 4 && *distance < word.chars().count()
        })
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn slips_are_corrected_and_other_words_are_not() {
        assert_eq!(did_you_mean("prdo", &["dev", "prod"]), Some("prod"));
        assert_eq!(did_you_mean("tablename", &["tableName", "region"]), Some("tableName"));
        assert_eq!(did_you_mean("banana", &["dev", "prod"]), None);
        assert_eq!(did_you_mean("x", &[]), None);
        assert_eq!(did_you_mean("x", &["T"]), None);
    }
}
