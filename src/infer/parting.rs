//! Which training samples are held out, to choose a penalty, an epoch or a number of neighbors.

use super::FitSettings;
use crate::device::random::Stream;
use crate::error::{Error, Result};
use crate::nn::train;
use crate::nouns::counted;
use crate::prepare::split::{assign, groups};
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// What folds are for, and what to do where samples are too few for them.
pub(super) type Purpose = [&'static str; 2];
/// Of `linear`, and of what adapts a penalty.
pub(super) const PENALTY: Purpose = ["the penalty is chosen by", "give --penalty, or fewer --folds"];
/// Of `kernel`.
pub(super) const KERNEL: Purpose =
    ["gamma, mixture and penalty are chosen by", "give --gamma, --mixture and --penalty, or fewer --folds"];
/// Of `best`.
pub(super) const METHOD: Purpose = ["the method is chosen by", "name a --method, or give fewer --folds"];
/// Of a predictor that is tried on samples that it was not fitted on.
pub(super) const HELD_OUT: Purpose = ["holding samples out takes", "give more samples"];

/// Parts of the samples that are fitted on: drawn one by one, or in whole groups, so that what is chosen suits groups
/// (studies, say) that were never seen.
pub(crate) struct Parting {
    seed: u64,
    n: usize,
    /// Positions among the samples.
    groups: Option<Vec<Vec<usize>>>,
}

impl Parting {
    /// Of `samples` of `store`, by the sample column `group_by`.
    ///
    /// # Errors
    /// [`Error::Usage`] for a column that the store lacks.
    pub fn new(store: &Store, samples: &[usize], group_by: Option<&str>, seed: u64) -> Result<Self> {
        let groups = match group_by {
            None => None,
            Some(column) => {
                let mut position = vec![None; store.n_samples()];
                samples.iter().enumerate().for_each(|(i, sample)| position[*sample] = Some(i));
                let groups = groups(store, Some(column))?.into_iter();
                let ours =
                    groups.map(|group| group.into_iter().filter_map(|s| position[s]).collect::<Vec<_>>());
                Some(ours.filter(|group| !group.is_empty()).collect())
            }
        };
        Ok(Parting { seed, n: samples.len(), groups })
    }

    /// Of so many folds those that there are groups for.
    pub fn most(&self, folds: usize) -> usize {
        let groups = self.groups.as_ref().map_or(folds, Vec::len);
        folds.min(groups).min(self.n / 2).max(2)
    }

    /// The settings, with as many folds as there are groups where these are fewer, which is said.
    pub fn few_groups(&self, settings: &FitSettings, report: Reporter) -> FitSettings {
        let Some(groups) = self.groups.as_ref().map(Vec::len) else { return settings.clone() };
        let fewer = settings.within(self);
        if let Some(asked) = settings.folds().filter(|folds| (2..*folds).contains(&groups)) {
            report(Event::Note(format!("{groups} groups make {groups} folds, not {asked}")));
        }
        fewer
    }

    /// Whether samples have groups.
    pub fn is_grouped(&self) -> bool {
        self.groups.is_some()
    }

    /// The group of each sample, from 0; its own where there are none.
    pub fn group_of(&self) -> Vec<usize> {
        let mut group: Vec<usize> = (0..self.n).collect();
        for (g, members) in self.groups.iter().flatten().enumerate() {
            members.iter().for_each(|i| group[*i] = g);
        }
        group
    }

    /// The fold of each sample, as equal in size as can be.
    ///
    /// # Errors
    /// [`Error::Data`] for folds of fewer than two samples, with what they are for, or more folds than groups.
    pub(super) fn folds(&self, folds: usize, purpose: Purpose) -> Result<Vec<usize>> {
        fill(folds, self.n, purpose)?;
        if let Some(groups) = &self.groups {
            enough(groups.len(), folds, "folds; leave out --group-by")?;
            return Ok(assign(groups, &vec![1.0 / folds as f64; folds], self.seed));
        }
        let mut fold: Vec<usize> = (0..self.n).map(|i| i % folds).collect();
        Stream::new(self.seed, "folds", 0).shuffle(&mut fold);
        Ok(fold)
    }

    /// Of each of so many folds the positions of the samples outside it, to train on, and within, both ascending.
    ///
    /// # Errors
    /// As [`Parting::folds`].
    pub fn parts(&self, folds: usize) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
        let fold = self.folds(folds, HELD_OUT)?;
        Ok((0..folds).map(|held| (0..self.n).partition(|i| fold[*i] != held)).collect())
    }

    /// Positions of the samples to train on and of about this share held out, both ascending.
    ///
    /// # Errors
    /// Those of [`train::hold_out`]; [`Error::Data`] for a single group.
    pub fn hold_out(&self, fraction: f64) -> Result<(Vec<usize>, Vec<usize>)> {
        match &self.groups {
            Some(groups) if fraction > 0.0 => {
                enough(groups.len(), 2, "parts; leave out --group-by")?;
                let part = assign(groups, &[1.0 - fraction, fraction], self.seed);
                Ok((0..self.n).partition(|i| part[*i] == 0))
            }
            _ => train::hold_out(self.n, fraction, self.seed),
        }
    }
}

/// Refuses fewer than two samples a fold.
pub(super) fn fill(folds: usize, samples: usize, [what, instead]: Purpose) -> Result<()> {
    match samples < 2 * folds {
        true => Err(Error::Data(format!(
            "{what} {folds} folds of at least 2 samples, but there are {samples} to learn from; {instead}"
        ))),
        false => Ok(()),
    }
}

fn enough(groups: usize, parts: usize, what: &str) -> Result<()> {
    if groups < parts {
        return Err(Error::Data(format!(
            "--group-by: {} cannot make {parts} {what}",
            counted(groups, "group")
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::Element;
    use crate::genes::Table;
    use crate::store::{Origin, StoreWriter};

    #[test]
    fn groups_stay_whole_in_folds_and_in_what_is_held_out() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut writer =
            StoreWriter::create(&dir.path().join("s.gex"), 1, Element::F32, false).expect("created");
        writer.push_rows(&[0.0; 60]).expect("pushed");
        let study = |sample: usize| sample * sample % 11;
        let mut table = Table::numbered("sample_id", "s", 60);
        table.set_column("study", (0..60).map(|s| study(s).to_string()).collect());
        let genes = Table::numbered("gene_id", "g", 1);
        let store = writer.finish(genes, table, Origin::default()).expect("finished");
        let samples: Vec<usize> = (0..60).filter(|s| s % 4 != 1).rev().collect();
        let parting = |by| Parting::new(&store, &samples, by, 3);

        let grouped = parting(Some("study")).expect("a column");
        let fold = grouped.folds(3, PENALTY).expect("enough");
        let (train, held) = grouped.hold_out(0.25).expect("enough");
        assert_eq!(train.len() + held.len(), 45);
        assert!((6..=18).contains(&held.len()), "{}", held.len());
        for (i, a) in samples.iter().enumerate() {
            for (j, b) in samples.iter().enumerate().filter(|(_, b)| study(*a) == study(**b)) {
                assert_eq!(fold[i], fold[j], "samples {a} and {b}");
                assert_eq!(held.contains(&i), held.contains(&j), "samples {a} and {b}");
            }
        }
        assert!((0..3).all(|f| fold.contains(&f)));

        let notes = std::sync::Mutex::new(Vec::new());
        let hear = |event| {
            if let Event::Note(note) = event {
                notes.lock().expect("nobody panicked").push(note);
            }
        };
        let mut settings = FitSettings::default();
        settings.kernel.folds = 9;
        let fewer = grouped.few_groups(&settings, &hear);
        assert_eq!((fewer.kernel.folds, fewer.linear.folds), (6, settings.linear.folds));
        assert_eq!(notes.into_inner().expect("nobody panicked"), ["6 groups make 6 folds, not 9"]);
        grouped.folds(fewer.kernel.folds, KERNEL).expect("as many as there are groups");

        let single = parting(None).expect("no column");
        assert_eq!(single.hold_out(0.2).expect("enough").1.len(), 9);
        assert_eq!(single.folds(5, PENALTY).expect("enough").iter().filter(|f| **f == 0).count(), 9);
        assert!(grouped.folds(7, PENALTY).is_err());
        let refused = |purpose| single.folds(23, purpose).expect_err("45 samples").to_string();
        assert!(refused(PENALTY).contains("the penalty is chosen by 23 folds of at least 2 samples"));
        assert!(refused(PENALTY).contains("45 to learn from; give --penalty"));
        assert!(refused(KERNEL).contains("--gamma") && refused(METHOD).contains("--method"));
        assert!(!refused(HELD_OUT).contains("penalty"), "{}", refused(HELD_OUT));
        assert!(parting(Some("tissue")).is_err());
    }
}
