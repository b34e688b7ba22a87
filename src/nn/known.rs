//! The samples that a model was trained on, and what another store has to do with them.

use std::path::Path;

use super::feed::match_genes;
use super::model::Model;
use crate::error::Result;
use crate::progress::{Event, Reporter};
use crate::store::Store;
use crate::store::remembered::Remembered;

/// Where a model's configuration remembers the samples that it was trained on.
pub(super) const REMEMBERED: &str = "remembered";

/// The samples that a model was trained on; none of a model that remembers none.
pub fn remembered(model: &Model) -> Remembered {
    serde_json::from_value(model.config[REMEMBERED].clone()).unwrap_or_default()
}

/// What is expected of a store that a model is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Samples that the model was trained on are among its own.
    Training,
    /// Any samples of its kind.
    Any,
}

/// Says where a store is not of the data that a model was trained on: samples of the same names have other values, so it was
/// prepared in another way, or none of its samples is known where some are expected.
///
/// # Errors
/// Those of [`match_genes`].
pub fn warn_of_other_data(
    (model, path): (&Model, &Path),
    store: &Store,
    expect: Expect,
    report: Reporter,
) -> Result<()> {
    let known = remembered(model);
    let columns = match_genes(store, &model.genes)?;
    if known.is_empty() || model.config["training-data"] == store.info().fingerprint() {
        return Ok(());
    }
    let (path, name) = (path.display(), store.path().display());
    let (found, changed) = known.changed(store, columns.as_deref());
    if let Some(first) = changed.first().map(|sample| &store.samples().ids[*sample]) {
        report(Event::Warning(format!(
            "{} of {} samples of {name} have the names of samples that {path} was trained on and other values ({first} first): it is \
             another data set, or was prepared in another way, and the network's scaling does not fit it; give the store that it was \
             trained on, or one prepared like it (genelift prepare --like)",
            changed.len(),
            store.n_samples()
        )));
    } else if found == 0 && expect == Expect::Training {
        report(Event::Warning(format!(
            "none of the {} samples of {name} is among those that {path} was trained on: what comes out is the network's view of samples \
             that are new to it; give the store that it was trained on, if that was not meant",
            store.n_samples()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::nn::settings::TrainSettings;
    use crate::nn::train::{Training, train};
    use crate::progress::silent;
    use crate::testing::{Listener, random_store, store};

    #[test]
    fn a_store_of_other_values_or_of_other_samples_is_told_from_the_one_trained_on() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let trained_on = random_store(&dir.path().join("a.gex"), 6, 5);
        let settings =
            TrainSettings { hidden: vec![3, 2, 3], epochs: 1, batch: 4, ..TrainSettings::standard() };
        let mut executor = CpuExecutor::open(Some(1)).expect("a thread");
        let training = Training { samples: vec![0, 1, 2], ..Training::of(&trained_on, settings) };
        let model = train(&mut executor, &training, &silent).expect("trained").model;
        let said = |store: &Store, expect| {
            let listener = Listener::default();
            let report = |event| listener.hear(event);
            warn_of_other_data((&model, Path::new("m")), store, expect, &report).expect("the same genes");
            listener.warnings()
        };
        assert!(said(&trained_on, Expect::Training).is_empty());
        let mut values = [0.0; 30];
        (0..6).for_each(|s| trained_on.read_row(s, &mut values[5 * s..5 * s + 5]));
        let doubled: Vec<f32> = values.iter().map(|x| 2.0 * x).collect();
        let doubled = store(&dir.path().join("b.gex"), 5, &doubled);
        for expect in [Expect::Training, Expect::Any] {
            let told = said(&doubled, expect);
            assert!(
                told.len() == 1 && told[0].contains("3 of 6 samples") && told[0].contains("(s_1 first)"),
                "{told:?}"
            );
        }
        // a part of the same samples, with two more genes, is the same data
        let wider: Vec<f32> = values.chunks(5).take(2).flat_map(|row| [row, &[1.0, 2.0]].concat()).collect();
        assert!(said(&store(&dir.path().join("c.gex"), 7, &wider), Expect::Training).is_empty());
        let held_out = crate::testing::named_store(&dir.path().join("d.gex"), "t", 5, &values[15..]);
        assert!(said(&held_out, Expect::Any).is_empty());
        let told = said(&held_out, Expect::Training);
        assert!(told.len() == 1 && told[0].contains("none of the 3 samples"), "{told:?}");
    }
}
