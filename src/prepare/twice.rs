//! A logarithm of values that are logarithms already squeezes everything that matters into almost nothing; it is said.

use super::fitted::Fitted;
use super::rows::Rows;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// Expression in log2 is below this, counts and intensities far above.
const LOGARITHMS_BELOW: f32 = 30.0;
/// Samples that are looked at.
const LOOKED_AT: usize = 20;

/// Words of the steps that take a logarithm, as `store.json` has them.
const LOGARITHMS: [&str; 2] = ["log1p", "log2p1"];

/// Warns where the rows of a step that takes a logarithm are logarithms: by what was done to the stores, or by their values.
pub(super) fn warn_of_second_logarithm(rows: &Rows, report: Reporter) {
    let taken = rows.stores().find_map(|store| logarithm_of(store).map(|step| (store, step)));
    if let Some((store, step)) = taken {
        let path = store.path().display();
        return report(Event::Warning(format!(
            "{path}: a logarithm was taken already (its step {step}); this one is the second. Leave one of them out"
        )));
    }
    // What adds up to a sum of one's own choice may be small without being a logarithm.
    if rows.maps().any(|map| !matches!(map, Fitted::Pick { .. })) {
        return;
    }
    let Some((least, most)) = looks_logarithmic(rows) else { return };
    report(Event::Warning(format!(
        "{}: the values ({least} to {most}, not whole numbers) look like logarithms already; if they are, leave this step out",
        rows.name()
    )));
}

fn logarithm_of(store: &Store) -> Option<String> {
    let of = |transform: &serde_json::Value| {
        let done = transform.as_object()?;
        let own = LOGARITHMS.iter().find(|step| done.contains_key(**step)).map(|step| step.to_string());
        // of a store that was prepared like another: the steps' names
        let like = done.get("like").and_then(|like| like["steps"].as_array());
        let named = |step: &&serde_json::Value| LOGARITHMS.contains(&step.as_str().unwrap_or_default());
        own.or_else(|| like?.iter().find(named).and_then(|step| step.as_str()).map(String::from))
    };
    store.info().origin.transforms.iter().find_map(of)
}

/// The least and the largest value of the first samples, where they are as small as logarithms and no counts.
fn looks_logarithmic(rows: &Rows) -> Option<(f32, f32)> {
    let (mut row, mut whole) = (Vec::new(), true);
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for at in 0..rows.len().min(LOOKED_AT) {
        rows.read(at, &mut row).ok()?;
        for x in &row {
            (least, most) = (least.min(*x), most.max(*x));
            whole &= x.fract() == 0.0;
        }
    }
    (!whole && most > 1.0 && most < LOGARITHMS_BELOW).then_some((least, most))
}

#[cfg(test)]
mod tests {
    use super::super::{Step, prepare, prepare_like};
    use crate::progress::Event;
    use crate::testing::store;
    use std::sync::Mutex;

    #[test]
    fn a_second_logarithm_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let counts: Vec<f32> = (0..60).map(|i| (i * i) as f32).collect();
        let raw = store(&path("raw.gex"), 3, &counts);
        let small: Vec<f32> = (0..60).map(|i| i as f32 * 0.21).collect();
        let small = store(&path("small.gex"), 3, &small);
        let said = Mutex::new(Vec::new());
        let listen = |event| {
            if let Event::Warning(text) = event {
                said.lock().unwrap().push(text);
            }
        };
        let once = prepare(&raw, &path("once.gex"), &[Step::Log2p1], false, &listen).unwrap();
        prepare(&raw, &path("cp10k.gex"), &[Step::LibrarySize(Some(20.0)), Step::Log1p], false, &listen)
            .unwrap();
        assert!(said.lock().unwrap().is_empty(), "{:?}", said.lock().unwrap());
        prepare(&once, &path("twice.gex"), &[Step::Log1p], false, &listen).unwrap();
        prepare_like(&once, &path("like.gex"), &once, false, &listen).unwrap();
        prepare(&small, &path("small-log.gex"), &[Step::Log2p1], false, &listen).unwrap();
        let said = said.into_inner().unwrap();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("once.gex: a logarithm was taken already (its step log2p1)"), "{said:?}");
        assert!(said[1].contains("its step log2p1"), "{said:?}");
        assert!(said[2].contains("look like logarithms already"), "{said:?}");
    }
}
