//! Numbers of things in words.

/// `1 gene`, `2 genes`; a noun whose plural takes an s.
pub fn counted(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "group")), ["0 groups", "1 group", "2 groups"]);
    }
}
