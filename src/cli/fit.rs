//! `genelift fit`: a store and landmarks → a predictor.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;

use super::{Common, print};
use crate::device;
use crate::error::{Error, Result};
use crate::genes::{Finder, Matching, Side};
use crate::infer::{FitSettings, KnnSettings, LinearSettings, Method, MlpSettings, Predictor};
use crate::progress::Reporter;
use crate::store::Store;
use crate::store::atomic::{self, Kind, Output};

/// Arguments of `fit`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store to fit on: training samples alone
    store: PathBuf,
    /// The genes that will be measured: a table of landmarks or a list of names (ids, Entrez ids, symbols, probes), or l1000
    #[arg(long, value_name = "TSV")]
    landmarks: String,
    /// The genes to infer; all the others if not given
    #[arg(long, value_name = "TSV")]
    targets: Option<String>,
    /// The predictor to write (.safetensors)
    #[arg(short, value_name = "PREDICTOR")]
    output: PathBuf,
    /// How the targets are inferred
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    #[command(flatten)]
    matching: Matching,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: Common,
}

/// What can be said about fitting, on the command line or in a configuration file; what is not said is the
/// method's default.
#[derive(clap::Args, Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// linear: weight of the squared coefficients on z-scored genes, as scikit-learn's alpha [cross-validated]
    #[arg(long, value_name = "X")]
    pub penalty: Option<f64>,
    /// linear: folds of the cross-validation [5]
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// knn: nearest landmarks to average [the best of 1 to 50 on held-out training samples]
    #[arg(long, value_name = "K")]
    pub neighbors: Option<usize>,
    /// A sample column, such as the study: where training samples are held out (to choose the penalty, the number of
    /// neighbors or the epoch), whole groups are, as samples of unseen groups will be inferred
    #[arg(long, value_name = "COLUMN")]
    pub group_by: Option<String>,
    /// mlp: widths of the tanh layers, e.g. 3000,3000,3000 [1000]
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS")]
    pub hidden: Option<Vec<usize>>,
    /// mlp: share of hidden activations kept in training, 1 − dropout [0.9]
    #[arg(long, value_name = "X")]
    pub include_rate: Option<f64>,
    /// mlp: passes over the samples [200]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// mlp: samples in a batch [200]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// mlp: keep the samples' order in every epoch
    #[arg(long)]
    pub no_shuffle: bool,
    /// mlp: step size of the first epoch [5e-4 for one hidden layer, 3e-4 for more]
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// mlp: momentum of SGD [0.5]
    #[arg(long, value_name = "X")]
    pub momentum: Option<f64>,
    /// mlp, knn: share of the samples held out, to choose the best epoch or the number of neighbors [0.1]
    #[arg(long, value_name = "FRACTION")]
    pub validation: Option<f64>,
    /// mlp: end after this many epochs without a better one [never]
    #[arg(long, value_name = "N")]
    pub early_stop: Option<usize>,
    /// mlp: independent networks, each for a part of the targets [1]
    #[arg(long, value_name = "N")]
    pub target_slices: Option<usize>,
}

impl Options {
    /// The settings: the defaults, with what was said put in.
    ///
    /// # Errors
    /// [`Error::Usage`] for an option of another method, and as [`FitSettings::validate`].
    pub fn settings(&self, method: Method, seed: u64) -> Result<FitSettings> {
        use Method::{Knn, Linear, Mlp};
        let said: [(&str, bool, &[Method]); 13] = [
            ("--penalty", self.penalty.is_some(), &[Linear]),
            ("--folds", self.folds.is_some(), &[Linear]),
            ("--neighbors", self.neighbors.is_some(), &[Knn]),
            ("--hidden", self.hidden.is_some(), &[Mlp]),
            ("--include-rate", self.include_rate.is_some(), &[Mlp]),
            ("--epochs", self.epochs.is_some(), &[Mlp]),
            ("--batch", self.batch.is_some(), &[Mlp]),
            ("--no-shuffle", self.no_shuffle, &[Mlp]),
            ("--learning-rate", self.learning_rate.is_some(), &[Mlp]),
            ("--momentum", self.momentum.is_some(), &[Mlp]),
            ("--validation", self.validation.is_some(), &[Mlp, Knn]),
            ("--early-stop", self.early_stop.is_some(), &[Mlp]),
            ("--target-slices", self.target_slices.is_some(), &[Mlp]),
        ];
        if let Some((option, ..)) = said.iter().find(|(_, said, of)| *said && !of.contains(&method)) {
            let method = method.to_possible_value().map_or(String::new(), |v| v.get_name().to_string());
            return Err(Error::Usage(format!(
                "{option} is not an option of --method {method}; leave it out"
            )));
        }
        let (linear, mlp, knn) = (LinearSettings::default(), MlpSettings::default(), KnnSettings::default());
        let settings = FitSettings {
            method,
            seed,
            group_by: self.group_by.clone(),
            linear: LinearSettings { penalty: self.penalty, folds: self.folds.unwrap_or(linear.folds) },
            mlp: MlpSettings {
                hidden: self.hidden.clone().unwrap_or(mlp.hidden),
                include_rate: self.include_rate.unwrap_or(mlp.include_rate),
                batch: self.batch.unwrap_or(mlp.batch),
                epochs: self.epochs.unwrap_or(mlp.epochs),
                shuffle: mlp.shuffle && !self.no_shuffle,
                learning_rate: self.learning_rate,
                momentum: self.momentum.unwrap_or(mlp.momentum),
                validation: self.validation.unwrap_or(mlp.validation),
                early_stop: self.early_stop,
                target_slices: self.target_slices.unwrap_or(mlp.target_slices),
            },
            knn: KnnSettings {
                neighbors: self.neighbors,
                validation: self.validation.unwrap_or(knn.validation),
            },
        };
        settings.validate()?;
        Ok(settings)
    }
}

/// Runs the command.
///
/// # Errors
/// Those of the settings, the files, the lists and the device.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let settings = args.options.settings(args.method, args.common.seed)?;
    let force = args.common.force;
    let mut outputs = vec![Output::new(&args.output, Kind::File, force)];
    outputs.extend(args.matching.output(force));
    let targets = args.targets.as_deref().unwrap_or_default();
    let _ours = atomic::claim(&outputs, &[&args.store, Path::new(&args.landmarks), Path::new(targets)])?;
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let store = Store::open(&args.store)?;
    let name = args.store.display().to_string();
    let (finder, side) =
        (Finder::new(&args.matching, args.common.force, report)?, Side::of_store(&name, &store));
    let find = |list: &str| Ok::<_, Error>(finder.list(list, &side, None)?.rows());
    let landmarks = find(&args.landmarks)?;
    let mut is_landmark = vec![false; store.n_genes()];
    landmarks.iter().for_each(|gene| is_landmark[*gene] = true);
    let targets = match &args.targets {
        Some(list) => find(list)?,
        None => (0..store.n_genes()).collect(),
    };
    let targets: Vec<usize> = targets.into_iter().filter(|gene| !is_landmark[*gene]).collect();
    let samples: Vec<usize> = (0..store.n_samples()).collect();
    let predictor =
        Predictor::fit(&mut *executor, &store, &samples, &landmarks, &targets, &settings, report)?;
    predictor.save(&args.output, args.common.force)?;
    let mut text = format!(
        "predictor\t{}\nsamples\t{}\nlandmarks\t{}\ntargets\t{}\n",
        args.output.display(),
        samples.len(),
        landmarks.len(),
        targets.len()
    );
    for (name, value) in predictor.chosen().as_object().into_iter().flatten() {
        text += &format!("{name}\t{value}\n");
    }
    print(&text)
}
