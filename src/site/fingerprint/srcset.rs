//! The references of a `srcset` attribute, split as browsers do
//! (<https://html.spec.whatwg.org/#parsing-a-srcset-attribute>).

use super::edit::Edit;

/// The changes that make its references what `rename` says; none keeps one as it is.
pub(super) fn edits(srcset: &str, mut rename: impl FnMut(&str) -> Option<String>) -> Vec<Edit> {
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r');
    let mut edits = Vec::new();
    let mut at = 0;
    loop {
        let rest = &srcset[at..];
        let reference = rest.trim_start_matches(|c| space(c) || c == ',');
        if reference.is_empty() {
            return edits;
        }
        let start = srcset.len() - reference.len();
        let written = &reference[..reference.find(space).unwrap_or(reference.len())];
        let reference = written.trim_end_matches(',');
        if let Some(new) = rename(reference) {
            edits.push(Edit::between(start, reference, &new));
        }
        at = start + written.len();
        // A comma at its end leaves no room for descriptors.
        if reference.len() == written.len() {
            at += descriptors(&srcset[at..]);
        }
    }
}

/// How long the descriptors are: up to a comma that isn't in parentheses.
fn descriptors(rest: &str) -> usize {
    let mut within = false;
    let end = rest.find(|c| {
        match c {
            '(' => within = true,
            ')' => within = false,
            ',' if !within => return true,
            _ => {}
        }
        false
    });
    end.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::super::edit::apply;
    use super::*;

    #[test]
    fn each_candidates_reference_changes_and_its_descriptors_stay() {
        for (srcset, references, expected) in [
            ("x", &["x"][..], "N"),
            ("x 1x, xy 2x", &["x", "xy"], "N 1x, Ny 2x"),
            ("x,y", &["x,y"], "N,y"),
            ("x, y", &["x", "y"], "N, y"),
            (" ,, x 100w ,\n x", &["x", "x"], " ,, N 100w ,\n N"),
            ("x,,, x", &["x", "x"], "N,,, N"),
            ("data:,a,b 1x, x", &["data:,a,b", "x"], "data:,a,b 1x, N"),
            ("x (a, x) 1x, x", &["x", "x"], "N (a, x) 1x, N"),
            ("", &[], ""),
            (" , ", &[], " , "),
        ] {
            let mut seen = Vec::new();
            let edits = edits(srcset, |reference| {
                seen.push(reference.to_owned());
                reference.strip_prefix('x').map(|rest| format!("N{rest}"))
            });
            assert_eq!(seen, references, "{srcset}");
            assert_eq!(apply(srcset, &edits), expected);
        }
    }
}
