//! The known word that a mistyped one was probably meant to be.

/// The word nearest to `typed` among those known, if one is near: at most one letter in four is another.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('_', "-");
    let typed = plain(typed);
    let near = known.into_iter().map(|word| (distance(&typed, &plain(word)), word));
    let (steps, word) = near.min_by_key(|(steps, _)| *steps)?;
    (steps <= 1 + typed.chars().count() / 4).then_some(word)
}

/// Letters to insert, leave out, or change, to come from one word to the other (Levenshtein 1966), a swap of neighbours counting one
/// (Damerau 1964).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut steps = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                steps = steps.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = steps;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = ["epochs", "learning-rate", "batch", "l2"];
        for (typed, meant) in [
            ("epoch", Some("epochs")),
            ("epcohs", Some("epochs")),
            ("learning_rate", Some("learning-rate")),
            ("learningrate", Some("learning-rate")),
            ("Batch", Some("batch")),
            ("rate", None),
            ("dropout", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(distance("", "abc"), 3);
    }
}
