//! The index that pandas writes beside a frame's columns. It holds the names of the rows where it holds anything; where it
//! only counts them, it is neither a gene nor a name.

/// The columns that are the index, by the note `pandas` in a file's metadata.
pub(super) fn of_pandas(note: &str) -> Vec<String> {
    let note: serde_json::Value = serde_json::from_str(note).unwrap_or_default();
    // An index that counts without a column of its own is an object here, not a text.
    let names = note["index_columns"].as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_string)).collect()
}

/// Whether a column is called as indexes are that were saved as a column, by pandas or polars.
pub(super) fn is_usual(name: &str) -> bool {
    let name = name.to_lowercase();
    let usual = ["", "index", "level_0", "row_nr", "row_index", "row_number", "rownames", "x"];
    usual.contains(&name.as_str()) || name.starts_with("unnamed: ") || name.starts_with("__index_level_")
}

/// Whether the numbers are those of rows: 0, 1, 2, … or 1, 2, 3, …
pub(super) fn counts(numbers: &[i64]) -> bool {
    let first = numbers.first().copied().unwrap_or(2);
    (0..=1).contains(&first) && numbers.iter().zip(first..).all(|(number, due)| *number == due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_told_by_note_and_by_content() {
        let note =
            r#"{"index_columns": ["__index_level_0__", {"kind": "range", "start": 0}], "columns": []}"#;
        assert_eq!(of_pandas(note), ["__index_level_0__"]);
        assert!(of_pandas("not json").is_empty() && of_pandas("{}").is_empty());
        assert!(counts(&[0, 1, 2]) && counts(&[1, 2]) && counts(&[0]));
        assert!(!counts(&[]) && !counts(&[2, 3]) && !counts(&[0, 2]) && !counts(&[0, 0]));
        assert!(is_usual("Unnamed: 0") && is_usual("__index_level_0__") && !is_usual("TP53"));
    }
}
