//! Whole profiles: what was measured, and what is inferred from it.

use std::path::Path;

use super::{HeldOut, Losses, MissingLandmarks, Places, Predictor};
use crate::device::Executor;
use crate::error::{Error, Result};
use crate::genes::Finder;
use crate::progress::{Event, Reporter};
use crate::store::{Origin, Store, StoreWriter};

/// How profiles are completed.
#[derive(Debug, Clone)]
pub struct Completing {
    /// What becomes of landmarks that are not there.
    pub missing: MissingLandmarks,
    /// Whether targets that are measured too are inferred in their place.
    pub replace: bool,
    /// Whether an output that exists is replaced.
    pub force: bool,
    /// Level of the intervals that are told, one of [`LEVELS`](super::LEVELS); [`Completing::LEVEL`] where nothing is said.
    pub level: Option<f64>,
    /// Held-out R² from which on a gene counts as reliably inferred.
    pub reliable: f64,
}

impl Completing {
    /// Level of intervals where nothing is said.
    pub const LEVEL: f64 = 0.9;
}

impl Default for Completing {
    fn default() -> Self {
        let missing = MissingLandmarks::Refuse;
        Completing { missing, replace: false, force: false, level: None, reliable: 0.5 }
    }
}

/// What [`complete`] made.
#[derive(Debug)]
pub struct Completed {
    /// The completed profiles.
    pub store: Store,
    /// Genes as they were given.
    pub measured: usize,
    /// Targets that were inferred.
    pub inferred: usize,
    /// What landmarks cost that were missing, where the predictor was refitted.
    pub losses: Option<Losses>,
    /// Of each inferred target, where the predictor knows what it can be trusted with.
    pub trust: Vec<Trust>,
}

/// How far an inferred gene can be trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    /// Its id.
    pub gene: String,
    /// Share of its variance explained in training samples that were held out.
    pub r2: f32,
    /// Its interval is the inferred value ± this, in the store's units.
    pub half_width: f32,
    /// Share of the training samples within such intervals, held out.
    pub coverage: f32,
    /// Whether `r2` is what was asked for.
    pub reliable: bool,
    /// Where the gene was measured here too: of how many samples, and how many of them lie within the interval.
    pub within: Option<(usize, usize)>,
}

impl Trust {
    /// Header of a table of these.
    pub const HEADER: [&'static str; 7] = [
        "gene_id",
        "held_out_r2",
        "half_width",
        "held_out_coverage",
        "reliable",
        "measured_samples",
        "within",
    ];

    /// Fields of a row.
    pub fn fields(&self) -> [String; 7] {
        let (measured, within) = match self.within {
            Some((samples, within)) => (samples.to_string(), within.to_string()),
            None => (String::new(), String::new()),
        };
        let Trust { gene, r2, half_width, coverage, reliable, .. } = self;
        let reliable = if *reliable { "yes" } else { "no" }.into();
        [
            gene.clone(),
            r2.to_string(),
            half_width.to_string(),
            if coverage.is_nan() { "NA".into() } else { coverage.to_string() },
            reliable,
            measured,
            within,
        ]
    }
}

/// Where inferred values go.
struct Layout {
    /// Target, and column of the output.
    put: Vec<(usize, usize)>,
    /// Targets that become new columns.
    new: Vec<usize>,
    origin: Vec<String>,
}

impl Layout {
    fn new(there: &[Option<usize>], measured: usize, replace: bool) -> Layout {
        let mut origin = vec!["measured".to_string(); measured];
        let (mut put, mut new) = (Vec::new(), Vec::new());
        for (target, place) in there.iter().enumerate() {
            match place {
                Some(column) if replace => {
                    origin[*column] = "inferred".into();
                    put.push((target, *column));
                }
                Some(_) => {}
                None => {
                    put.push((target, measured + new.len()));
                    new.push(target);
                }
            }
        }
        origin.resize(measured + new.len(), "inferred".into());
        Layout { put, new, origin }
    }
}

/// Completes profiles: writes a store of the given genes as they are, and of the targets, inferred. The gene column
/// `origin` says which is which, `measured` or `inferred`; where the predictor knows them, `held_out_r2`, `half_width` and
/// `reliable` say of inferred genes how far they can be trusted, unless landmarks are missing. A target that is measured too is left as measured, unless
/// `replace`, which infers it nevertheless (to compare with the truth).
///
/// # Errors
/// As [`Predictor::places`], [`Predictor::without`] and [`Predictor::predict`]; [`Error::Usage`] for a level that the predictor has no
/// intervals of, whatever landmarks there are; [`Error::Exists`] without `force`; [`Error::Io`].
pub fn complete(
    executor: &mut dyn Executor,
    predictor: &Predictor,
    store: &Store,
    out: &Path,
    how: &Completing,
    finder: &Finder,
    report: Reporter,
) -> Result<Completed> {
    how.level.map_or(Ok(()), |level| check_level(predictor, level))?;
    let width = predictor.targets().len();
    let Places { landmarks, targets: there } = predictor.places(store, how.missing, finder, report)?;
    let (refitted, landmarks, losses) = refit(predictor, landmarks, how.missing, report)?;
    let predictor = refitted.as_ref().unwrap_or(predictor);
    predictor.warn_of_samples(store, &landmarks, report);
    predictor.warn_of_range(store, &landmarks, report);
    let Layout { put, new, origin } = Layout::new(&there, store.n_genes(), how.replace);
    if put.is_empty() {
        let message =
            format!("all {width} targets are measured here; pass --replace to infer them nevertheless");
        return Err(Error::input(store.path(), message));
    }
    // what is known of errors is of all landmarks
    let mut trust = if landmarks.contains(&None) { Vec::new() } else { trusted(predictor, how)? };
    if !trust.is_empty() && predictor.is_adapted() {
        report(Event::Note(
            "the predictor was adapted to other samples than its own: held-out R² and intervals are those of its training samples, and say little of them"
                .into(),
        ));
    }
    let mut genes = store.genes().clone();
    genes.append(predictor.targets.genes.select(&new));
    genes.set_column("origin", origin);
    describe(&mut genes, &trust, &put);

    let mut writer = StoreWriter::create(out, genes.len(), store.element(), how.force)?;
    writer.expect(store.n_samples())?;
    let mut row = vec![0.0; genes.len()];
    predictor.predict(executor, store, &landmarks, report, &mut |first, rows| {
        for (i, targets) in rows.chunks_exact(width).enumerate() {
            store.read_row(first + i, &mut row[..store.n_genes()]);
            count_within(&mut trust, &there, &row, targets);
            put.iter().for_each(|(target, column)| row[*column] = targets[*target]);
            writer.push_rows(&row)?;
        }
        Ok(())
    })?;
    let (measured, inferred) = (genes.len() - put.len(), put.len());
    let origin = Origin::derived(store, serde_json::json!({"predict": {"predictor": predictor.told()}}));
    let store = writer.finish(genes, store.samples().clone(), origin)?;
    if !trust.is_empty() {
        trust = put.iter().map(|(target, _)| trust[*target].clone()).collect();
    }
    Ok(Completed { store, measured, inferred, losses, trust })
}

type Refitted = (Option<Predictor>, Vec<Option<usize>>, Option<Losses>);

/// The predictor without the landmarks that have no place, where that is asked for.
fn refit(
    predictor: &Predictor,
    places: Vec<Option<usize>>,
    missing: MissingLandmarks,
    report: Reporter,
) -> Result<Refitted> {
    let lost: Vec<usize> = (0..places.len()).filter(|i| places[*i].is_none()).collect();
    if lost.is_empty() || missing != MissingLandmarks::Refit {
        return Ok((None, places, None));
    }
    let (refitted, losses) = predictor.without(&lost, report)?;
    let places = places.into_iter().filter(Option::is_some).collect();
    Ok((Some(refitted), places, Some(losses)))
}

/// Refuses a level that there are no intervals of.
fn check_level(predictor: &Predictor, level: f64) -> Result<()> {
    match predictor.held_out() {
        Some(held_out) => held_out.half_widths(level).map(|_| ()),
        None => Err(Error::Usage(format!(
            "--level {level}: the predictor has no intervals: no samples were held out when it was fitted; leave it out, or fit it anew with --held-out 5"
        ))),
    }
}

/// Of each target, or of none where the predictor does not know.
fn trusted(predictor: &Predictor, how: &Completing) -> Result<Vec<Trust>> {
    let Some(held_out) = predictor.held_out() else { return Ok(Vec::new()) };
    let HeldOut { r2, .. } = held_out;
    let level = how.level.unwrap_or(Completing::LEVEL);
    let (widths, coverages) = (held_out.half_widths(level)?, held_out.coverages(level)?);
    let of = |target: usize| Trust {
        gene: predictor.targets()[target].clone(),
        r2: r2[target],
        half_width: widths[target],
        coverage: coverages[target],
        reliable: f64::from(r2[target]) >= how.reliable,
        within: None,
    };
    Ok((0..r2.len()).map(of).collect())
}

/// Columns on the inferred genes.
fn describe(genes: &mut crate::genes::Table, trust: &[Trust], put: &[(usize, usize)]) {
    if trust.is_empty() {
        return;
    }
    for (name, field) in [("held_out_r2", 1), ("half_width", 2), ("reliable", 4)] {
        let mut column = vec![String::new(); genes.len()];
        put.iter().for_each(|(target, at)| column[*at] = trust[*target].fields()[field].clone());
        genes.set_column(name, column);
    }
}

/// Counts what was measured of a sample and lies within the intervals.
fn count_within(trust: &mut [Trust], there: &[Option<usize>], measured: &[f32], inferred: &[f32]) {
    for ((trust, place), inferred) in trust.iter_mut().zip(there).zip(inferred) {
        if let Some(column) = place {
            let (samples, within) = trust.within.unwrap_or_default();
            let inside = (measured[*column] - inferred).abs() <= trust.half_width;
            trust.within = Some((samples + 1, within + usize::from(inside)));
        }
    }
}
