//! What the description beside a list of landmarks remembers of how it was chosen.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::Options;
use crate::error::Result;
use crate::genes::sidecar;
use crate::pipeline::choice::word;
use crate::select::Strategy;

/// Ids of the genes that a selection was told to leave out, as the description beside its list remembers them; none where there is none.
///
/// # Errors
/// [`Error::Input`](crate::error::Error::Input) for a damaged description.
pub(in crate::pipeline) fn left_out(landmarks: &Path) -> Result<HashSet<String>> {
    let ids = about(landmarks)?.get_mut(LEFT_OUT).map(Value::take);
    Ok(ids.and_then(|ids| serde_json::from_value(ids).ok()).unwrap_or_default())
}

/// Where the description of a list keeps what [`left_out`] tells.
pub(super) const LEFT_OUT: &str = "left-out";

/// What `diverse` was told of how genes are weighed, and its seed, as the description beside a list remembers; `None` where there is none,
/// and for lists of other strategies.
///
/// # Errors
/// [`Error::Input`](crate::error::Error::Input) for a damaged description.
pub(in crate::pipeline::stages) fn weighed_by(landmarks: &Path) -> Result<Option<(Options, u64)>> {
    let about = about(landmarks)?;
    let strategy = about.get("strategy").and_then(Value::as_str).unwrap_or_default();
    if strategy != word(Strategy::Diverse) {
        return Ok(None);
    }
    // a consensus of lists calls its options otherwise
    let said = about.get("options").or_else(|| about.get("select"));
    let of = |key: &&str| Some(((*key).to_string(), said?.get(*key)?.clone()));
    let said: Map<String, Value> = WEIGHED_BY.iter().filter_map(of).collect();
    let options: Option<Options> = serde_json::from_value(Value::Object(said)).ok();
    Ok(options.zip(about.get("seed").and_then(Value::as_u64)))
}

/// The options that say what [`weighed_by`] tells.
const WEIGHED_BY: [&str; 6] = ["target", "weights", "ridge", "penalty", "exchange", "samples"];

/// What the description beside a list says of it; nothing where there is none.
fn about(landmarks: &Path) -> Result<Value> {
    Ok(sidecar::beside(landmarks)?.map_or(Value::Null, |sidecar| sidecar.made.about))
}
