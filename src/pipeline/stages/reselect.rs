//! Landmarks chosen anew by a part of the samples that chose them, as `fit --method best` does in each of its folds.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::select::{self, lists};
use crate::device::Executor;
use crate::error::Result;
use crate::genes::Side;
use crate::genes::sidecar::{self, Input as Source, Sidecar};
use crate::pipeline::choice::word;
use crate::pipeline::{Input, Workbench, settings};
use crate::progress::silent;
use crate::select::{Constraints, from_store};
use crate::store::Store;

/// How landmarks were chosen, as the description beside them says it too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Selection {
    /// How many.
    pub n: usize,
    /// Of draws.
    pub seed: u64,
    /// How.
    pub options: select::Options,
    /// Whether the number is the one that `until` found on all samples.
    #[serde(skip)]
    pub until: bool,
}

/// Whether landmarks can be chosen anew by a part of a store's samples; else a sentence says what follows for errors that are found with
/// them as given.
pub enum Known {
    /// They were chosen by this store, and by nothing else.
    Here(Box<Selection>),
    /// They were chosen by other samples.
    Elsewhere(String),
    /// They cannot be.
    Not(String),
}

impl Selection {
    /// Of the landmarks in a file, by the description beside it.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a damaged description.
    pub fn beside(list: &str, store: &Store) -> Result<Known> {
        let described = if settings::is_file(list) { sidecar::beside(Path::new(list))? } else { None };
        Ok(match described {
            None => too_small(&format!("{list} does not say how it was chosen")),
            Some(sidecar) => Selection::described(list, &sidecar, store),
        })
    }

    fn described(list: &str, sidecar: &Sidecar, store: &Store) -> Known {
        let here = Source::store(store);
        let made_from = &sidecar.made.made_from;
        let on_this = made_from.iter().any(|source| source.sha256 == here.sha256);
        let all: Vec<usize> = (0..store.n_samples()).collect();
        let shared = sidecar.made.samples.shared(store, &all, None);
        if !on_this
            && !sidecar.made.samples.is_empty()
            && shared.by_id.is_empty()
            && shared.by_values.is_empty()
        {
            return Known::Elsewhere(format!(
                "{list} was chosen by other samples: the landmarks are taken as given, and errors hold for them"
            ));
        }
        match Selection::told(&sidecar.made.about) {
            Some(selection) if on_this && made_from.len() == 1 => selection.known(list),
            Some(_) if on_this => too_small(&format!("{list} was not chosen by this store alone")),
            Some(_) => {
                too_small(&format!("{list} was chosen on another store that shares samples with this one"))
            }
            None => too_small(&format!("{list} is no selection's list")),
        }
    }

    /// From the settings that a selection writes beside its table.
    fn told(about: &Value) -> Option<Selection> {
        let mut about = about.clone();
        let until = about["until"].is_object();
        if until {
            about["n"] = about["until"]["landmarks"].clone();
        }
        let mut selection: Selection = serde_json::from_value(about.clone()).ok()?;
        selection.until = until;
        selection.options = selection.options.of_known_size();
        let strategy = serde_json::from_value(about["strategy"].clone()).ok()?;
        selection.options.strategy = Some(strategy);
        Some(selection)
    }

    /// Itself, unless its strategy takes more than a store.
    pub fn known(self, list: &str) -> Known {
        let (strategy, needs) = (word(self.options.strategy()), self.options.needs());
        match needs.scores || needs.model {
            true => too_small(&format!(
                "{list} was chosen by {strategy} from what a network learned of all samples"
            )),
            false => Known::Here(Box::new(self)),
        }
    }

    /// The files that count by content, and the rest of what was said.
    pub fn inputs(&self) -> (Vec<Input>, Value) {
        let (files, options) = settings::inputs(&self.options);
        (
            files,
            json!({ "n": self.n, "seed": self.seed, "strategy": word(self.options.strategy()), "options": options }),
        )
    }

    /// How many landmarks are chosen from which genes.
    ///
    /// # Errors
    /// Those of lists of genes to include and exclude, and of [`Constraints::new`].
    pub fn constraints(&self, (path, store): (&Path, &Store), bench: &Workbench) -> Result<Constraints> {
        let name = path.display().to_string();
        let side = Side::of_store(&name, store);
        let (include, exclude) = lists(&self.options, &side, bench.force, bench.report)?;
        Constraints::new(store.genes(), self.n, &include, &exclude)
    }

    /// Chooses by some of the store's samples: the landmarks, ascending, and those of `targets` (all genes without) that are left.
    ///
    /// # Errors
    /// Those of the strategy.
    pub fn choose(
        &self,
        executor: &mut dyn Executor,
        (store, samples): (&Store, &[usize]),
        constraints: &Constraints,
        targets: Option<&[usize]>,
    ) -> Result<(Vec<usize>, Vec<usize>)> {
        let strategy = self.options.strategy();
        let picks = self.options.with_inputs((store, Some(samples)), None, self.seed, |inputs| {
            from_store(strategy, inputs, constraints, || Ok(executor), &silent)
        })?;
        let mut is_landmark = vec![false; store.n_genes()];
        picks.genes.iter().for_each(|gene| is_landmark[*gene] = true);
        let all = || (0..store.n_genes()).collect();
        let targets = targets.map_or_else(all, <[usize]>::to_vec);
        let targets = targets.into_iter().filter(|gene| !is_landmark[*gene]).collect();
        Ok(((0..store.n_genes()).filter(|gene| is_landmark[*gene]).collect(), targets))
    }
}

/// The landmarks are as given, and may have been chosen by these samples.
fn too_small(why: &str) -> Known {
    Known::Not(format!(
        "{why}, so the landmarks are taken as given in every fold: if these samples chose them, errors are too small by what that gained"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::Method;
    use crate::pipeline::stages::fit::{self, Facts, Fit};
    use crate::pipeline::stages::how_many::Count;
    use crate::pipeline::{perform, stages::select::Select};
    use crate::select::Strategy;
    use crate::store::remembered::Remembered;
    use crate::testing::{Listener, named_store, random_store};

    fn fitted(
        store: &Path,
        landmarks: &Path,
        selection: Option<Selection>,
        report: &(dyn Fn(crate::progress::Event) + Sync),
    ) -> Facts {
        let options = fit::Options {
            method: Some(Method::Best),
            candidates: Some(vec![Method::Linear]),
            penalty: Some(3.0),
            folds: Some(3),
            held_out: Some(0),
            ..Default::default()
        };
        let stage = Fit {
            store: store.into(),
            landmarks: landmarks.display().to_string(),
            targets: None,
            predictor: store.with_extension("safetensors"),
            matching: Default::default(),
            options,
            groups: None,
            method: Method::default(),
            selection,
            seed: 1,
        };
        perform(&stage, &mut Workbench::new("cpu", None, true, report).unwrap()).unwrap()
    }

    /// On noise, what was chosen by all samples explains some of those held out; what was chosen without them does not.
    #[test]
    fn landmarks_that_the_store_chose_are_chosen_anew_in_each_fold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gex");
        random_store(&path, 36, 60);
        let [list, plain] = ["list.tsv", "plain.tsv"].map(|name| dir.path().join(name));
        let options = select::Options { strategy: Some(Strategy::Css), ..Default::default() };
        let files = [dir.path().join("none"), path.clone(), dir.path().join("none"), list.clone()];
        let select = Select::of(options, Count::Said(Some(8)), 0, files, "select");
        let mut bench = Workbench::new("cpu", None, true, &silent).unwrap();
        perform::<Value>(&select, &mut bench).unwrap();
        std::fs::copy(&list, &plain).unwrap();

        let [own, other] = [Listener::default(), Listener::default()];
        let anew = fitted(&path, &list, None, &|event| own.hear(event)).chosen["best"].clone();
        let given = fitted(&path, &plain, None, &|event| other.hear(event)).chosen["best"].clone();
        assert_eq!([&anew["landmarks"], &given["landmarks"]], ["chosen anew in each fold", "as given"]);
        let error = |best: &Value| best["error-outside"].as_f64().unwrap();
        assert!(error(&anew) > 1.0 && error(&given) < error(&anew) - 0.02, "{anew} {given}");
        assert!(own.warnings().is_empty(), "{:?}", own.warnings());
        let warnings = other.warnings();
        assert!(
            warnings.len() == 1 && warnings[0].contains("does not say how it was chosen"),
            "{warnings:?}"
        );
    }

    /// A number that all samples gave is not found anew in a fold, which is said.
    #[test]
    fn a_number_that_was_found_on_all_samples_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let here = random_store(&dir.path().join("x.gex"), 36, 20);
        let about =
            |until: Value| json!({ "n": 4, "seed": 7, "strategy": "css", "options": {}, "until": until });
        let found = Selection::told(&about(json!({ "landmarks": 2 }))).expect("a selection");
        assert_eq!((found.n, found.until), (2, true));
        let said = Selection::told(&about(Value::Null)).expect("a selection");
        assert_eq!((said.n, said.until), (4, false));

        let landmarks = dir.path().join("l.tsv");
        std::fs::write(&landmarks, "g_1\ng_3\n").unwrap();
        for (selection, told) in [(found, true), (Selection { n: 2, ..said }, false)] {
            let listener = Listener::default();
            fitted(here.path(), &landmarks, Some(selection), &|event| listener.hear(event));
            assert_eq!(listener.notes().iter().any(|note| note.contains("--until found")), told);
        }
    }

    #[test]
    fn what_cannot_be_chosen_anew_is_told_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let here = random_store(&dir.path().join("x.gex"), 6, 5);
        let values: Vec<f32> = (0..30).map(|i| (i * i % 17) as f32).collect();
        let strange = named_store(&dir.path().join("y.gex"), "other", 5, &values);
        let akin = here.picked("z.gex", &[0, 1, 2]).unwrap();
        let list = Source { name: "l.txt".into(), kind: "list".into(), sha256: "1".into() };
        let about = |strategy: &str| json!({ "n": 2, "seed": 7, "strategy": strategy, "options": {} });
        let of = |made_from: Vec<Source>, about: Value, samples: &Store| {
            let made = sidecar::Made { made_from, about, samples: Remembered::all(samples) };
            let [format, genelift, xxh3] = [""; 3].map(String::from);
            Selection::described("l.tsv", &Sidecar { format, genelift, rows: 2, bytes: 1, xxh3, made }, &here)
        };
        let chosen = of(vec![Source::store(&here)], about("css"), &here);
        assert!(
            matches!(chosen, Known::Here(s) if s.n == 2 && s.seed == 7 && s.options.strategy() == Strategy::Css)
        );
        let told = of(vec![Source::store(&strange)], about("css"), &strange);
        assert!(matches!(told, Known::Elsewhere(text) if text.contains("by other samples")));
        for (made_from, about, samples, why) in [
            (vec![Source::store(&here)], about("top"), &here, "a network"),
            (vec![Source::store(&here), list], about("css"), &here, "this store alone"),
            (vec![Source::store(&akin)], about("css"), &akin, "shares samples"),
            (vec![Source::store(&here)], json!({ "over": "bootstrap" }), &here, "no selection's list"),
        ] {
            let Known::Not(text) = of(made_from, about, samples) else { panic!("{why}") };
            assert!(text.contains(why) && text.contains("too small"), "{text}");
        }
    }
}
