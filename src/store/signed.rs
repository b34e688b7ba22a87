//! JSON that vouches for itself: its last key, `own-xxh3`, is the checksum of the text with zeros in place of its own digits, so
//! that a byte that was changed anywhere in it is noticed.

use super::info::xxh3_hex;

const BEFORE: &str = ",\n  \"own-xxh3\": \"";
const ZEROS: &str = "0000000000000000";
const AFTER: &str = "\"\n}\n";

/// The text of an indented JSON object, with its checksum and a line end.
pub fn sign(object: &str) -> String {
    let open = object.trim_end().strip_suffix('}').unwrap_or(object).trim_end();
    let text = |digits: &str| format!("{open}{BEFORE}{digits}{AFTER}");
    text(&xxh3_hex(text(ZEROS).as_bytes()))
}

/// Whether a text has the checksum that it says; one that says none (of an older version) has.
pub fn is_whole(text: &[u8]) -> bool {
    let Some(rest) = text.strip_suffix(AFTER.as_bytes()) else { return true };
    let Some(at) = rest.len().checked_sub(ZEROS.len()) else { return true };
    let (open, digits) = rest.split_at(at);
    if !open.ends_with(BEFORE.as_bytes()) {
        return true;
    }
    let zeros = [open, ZEROS.as_bytes(), AFTER.as_bytes()].concat();
    xxh3_hex(&zeros).as_bytes() == digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed_or_harmless() {
        let value = serde_json::json!({"a": 1, "b": ["x", 2.5]});
        let text = sign(&format!("{value:#}\n"));
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(is_whole(text.as_bytes()) && back["b"] == value["b"] && back["own-xxh3"].is_string());
        assert!(is_whole(b"{}\n") && is_whole(b""));
        for i in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone().into_bytes();
                changed[i] ^= 1 << bit;
                let found = serde_json::from_slice::<serde_json::Value>(&changed);
                // no JSON; or, where the checksum's own key was hit, the rest still says the same
                let same = found.map_or(true, |found| found["a"] == value["a"] && found["b"] == value["b"]);
                assert!(!is_whole(&changed) || same, "byte {i}, bit {bit}");
            }
        }
    }
}
