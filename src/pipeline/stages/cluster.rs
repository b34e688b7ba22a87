//! A store with what is known of its samples, and a network or landmarks → whether samples that belong together lie together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bench::work::Work;
use crate::cluster::{
    FILES, Figures, Known, Linkage, Metric, Settings, Space, cluster, components, is_of_studies,
};
use crate::error::{Error, Result};
use crate::genes::sidecar::{Input as Source, Made};
use crate::genes::{Ambiguous, Finder, Side};
use crate::memory::Need;
use crate::nn::apply;
use crate::nn::known::{Expect, remembered, warn_of_other_data};
use crate::nn::model::Model;
use crate::nouns::counted;
use crate::pipeline::choice::choice;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings::{self, Match};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::progress::Event;
use crate::select::columns::Columns;
use crate::select::draw_samples;
use crate::store::Store;
use crate::visible;

/// Samples that are looked at at most, unless told otherwise: trees and silhouettes look at all pairs.
const SAMPLES: usize = 10_000;
/// Components where there is no bottleneck to be as wide as.
const COMPONENTS: usize = 50;

/// What can be said about clustering, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Sample columns that clusters are held against, such as the subtype; samples without a label do not count there
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub label: Vec<String>,
    /// The sample column of studies or batches: clusters are held against it too, and labels are asked of samples of other studies, where
    /// both studies are known
    #[arg(long, value_name = "COLUMN")]
    pub study: Option<String>,
    /// How clusters are joined: ward, average or complete [ward]
    #[arg(long, value_parser = choice::<Linkage>())]
    pub linkage: Option<Linkage>,
    /// How far samples are from each other: euclidean, or correlation (1 − r) [euclidean]
    #[arg(long, value_parser = choice::<Metric>())]
    pub metric: Option<Metric>,
    /// Clusters of the table of clusters [as many as the first label has values, else 2]
    #[arg(long, value_name = "K")]
    pub clusters: Option<usize>,
    /// Nearest samples that are asked for a label [5]
    #[arg(long, value_name = "K")]
    pub neighbours: Option<usize>,
    /// Principal components beside the others [as many as the bottleneck has neurons, else 50]
    #[arg(long, value_name = "K")]
    pub components: Option<usize>,
    /// Make maps by t-SNE too of at most this many samples; 0 makes none [2000]
    #[arg(long, value_name = "N")]
    pub t_sne: Option<usize>,
    /// Use at most this many samples, drawn by the seed [10000]
    #[arg(long, value_name = "N")]
    pub samples: Option<usize>,
    /// How names of the landmarks are matched.
    #[command(flatten)]
    #[serde(flatten)]
    pub matching: Match,
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &[];
}

/// Clusters samples.
pub struct Cluster {
    /// The samples.
    pub store: PathBuf,
    /// A network, whose bottleneck is one of the spaces.
    pub model: Option<PathBuf>,
    /// Landmarks, which are another.
    pub landmarks: Option<PathBuf>,
    /// The folder to write.
    pub dir: PathBuf,
    /// How.
    pub options: Options,
    /// Of draws and starts.
    pub seed: u64,
}

/// What there is to tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// Samples that were looked at.
    pub samples: usize,
    /// Those of them whose study is not known, where a column of studies is named.
    #[serde(default)]
    pub without_study: usize,
    /// By space and column.
    pub figures: Vec<Figures>,
}

impl Facts {
    /// Who is left out where other studies are asked; nothing where nobody is.
    pub fn left_out(&self) -> Option<String> {
        let samples = counted(self.without_study, "sample");
        (self.without_study > 0)
            .then(|| format!("{samples} of unknown study: left out where samples of other studies are asked"))
    }

    /// The figures as a table for a reader.
    pub fn said(&self) -> String {
        let number = |x: Option<f64>| x.map_or_else(|| "NA".to_string(), |x| format!("{x:.3}"));
        let header = [
            "space",
            "features",
            "column",
            "classes",
            "rand tree",
            "k-means",
            "NMI tree",
            "k-means",
            "silhouette",
            "neighbours",
            "of other studies",
        ];
        let rows = self.figures.iter().map(|f| {
            let [rand, information] = [f.rand, f.information].map(|pair| pair.map(number));
            let counts = [f.features, f.classes].map(|n| n.to_string());
            [
                f.space.clone(),
                counts[0].clone(),
                f.column.clone(),
                counts[1].clone(),
                rand[0].clone(),
                rand[1].clone(),
                information[0].clone(),
                information[1].clone(),
                number(f.silhouette),
                number(f.neighbours[0]),
                number(f.neighbours[1]),
            ]
        });
        let rows: Vec<[String; 11]> = [header.map(String::from)].into_iter().chain(rows).collect();
        let left_out = self.left_out().map_or(String::new(), |told| format!("{told}\n"));
        visible::table(&rows) + &left_out
    }
}

impl Cluster {
    /// The spaces that there is something for.
    fn spaces(&self, store: &Store, samples: &[usize], bench: &mut Workbench) -> Result<Vec<Space>> {
        let (n, genes) = (samples.len(), store.n_genes());
        Need::new()
            .with(format!("values of {n} samples by {genes} genes"), &[n, genes, 4])
            .with(format!("distances of {n} samples"), &[5, n, n, 8])
            .check("clustering", "take fewer samples (--samples), or allow more (--memory)")?;
        let (all, _) = Columns::standardized(store, samples);
        let mut spaces = Vec::new();
        let mut width = COMPONENTS;
        if let Some(path) = &self.model {
            let values = self.bottleneck(path, store, samples, bench)?;
            width = values.len();
            spaces.push(Space { name: "bottleneck".into(), values });
        }
        let width = self.options.components.unwrap_or(width).min(n - 1);
        spaces.push(Space { name: "components".into(), values: components(&all, width) });
        if let Some(path) = &self.landmarks {
            let values =
                self.panel(path, store, bench)?.iter().flat_map(|gene| all.column(*gene)).copied().collect();
            spaces.push(Space { name: "landmarks".into(), values: Columns::new(n, values) });
        }
        spaces.push(Space { name: "genes".into(), values: all });
        Ok(spaces)
    }

    fn bottleneck(
        &self,
        path: &Path,
        store: &Store,
        samples: &[usize],
        bench: &mut Workbench,
    ) -> Result<Columns> {
        let model = Model::open(path, bench.report)?;
        warn_of_other_data((&model, path), store, Expect::Any, bench.report)?;
        remembered(&model).warn("the model", store, samples, bench.report);
        let depth = model.encoder_layers();
        let width = model.layers[depth - 1].outputs;
        let mut values = Columns::new(samples.len(), vec![0.0; samples.len() * width]);
        let (report, those) = (bench.report, (store, samples.to_vec()));
        apply::forward_of(bench.executor()?, &model, those, depth, report, |first, rows| {
            values.place(first, rows);
            Ok(())
        })?;
        Ok(values)
    }

    fn panel(&self, path: &Path, store: &Store, bench: &Workbench) -> Result<Vec<usize>> {
        let matching = self.options.matching.matching();
        let finder = Finder::new(&matching, bench.force, bench.report)?;
        let name = self.store.display().to_string();
        let side = Side::of_store(&name, store);
        Ok(finder.list(&path.display().to_string(), &side, Some(Ambiguous::All))?.ranked)
    }

    /// The columns that clusters are held against, the study last.
    fn known(&self, store: &Store, samples: &[usize]) -> Result<(Vec<Known>, Option<Known>)> {
        let column = |name: &String| {
            let labels = store.sample_column(name)?;
            Ok(Known { name: name.clone(), labels: samples.iter().map(|i| labels[*i].clone()).collect() })
        };
        let study = self.options.study.as_ref().map(column).transpose()?;
        let labels = self.options.label.iter().filter(|name| Some(*name) != self.options.study.as_ref());
        let mut known = labels.map(column).collect::<Result<Vec<_>>>()?;
        known.extend(study.clone());
        Ok((known, study))
    }
}

impl Stage for Cluster {
    fn name(&self) -> String {
        "cluster".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let own = [
            ("store", Some(&self.store)),
            ("model", self.model.as_ref()),
            ("landmarks", self.landmarks.as_ref()),
        ];
        own.into_iter().filter_map(|(role, path)| Some(Input::new(role, path?))).collect()
    }

    fn settings(&self) -> Value {
        let matching = self.options.matching.again();
        json!({"options": settings::inputs(&Options { matching, ..self.options.clone() }).1, "seed": self.seed})
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Folder(self.dir.clone(), &FILES)]
    }

    fn matches_by(&self) -> Option<&Match> {
        Some(&self.options.matching)
    }

    fn computes(&self) -> bool {
        self.model.is_some()
    }

    fn check_data(&self, store: &Store) -> Result<()> {
        self.known(store, &[]).map(|_| ())
    }

    fn check(&self) -> Result<()> {
        let Options { clusters, neighbours, components, samples, .. } = self.options;
        let least = [
            ("--clusters", clusters, 1),
            ("--neighbours", neighbours, 1),
            ("--components", components, 1),
            ("--samples", samples, 3),
        ];
        least.into_iter().try_for_each(|(option, value, least)| match value {
            Some(value) if value < least => {
                Err(Error::Usage(format!("{option} {value}: must be at least {least}")))
            }
            _ => Ok(()),
        })
    }

    fn cost(&self, size: &Size) -> Cost {
        let n = self.options.samples.unwrap_or(SAMPLES).min(size.held_out);
        let bottleneck = self.model.as_ref().and(size.hidden.iter().min().copied());
        let components = self.options.components.or(bottleneck).unwrap_or(COMPONENTS);
        let landmarks = self.landmarks.as_ref().map_or(0, |_| size.landmarks);
        // products of all pairs of samples: of every gene twice, for the components too
        let features = bottleneck.unwrap_or(0) + components + landmarks + 2 * size.genes;
        let (pairs, features) = ((n * n) as f64, features as f64);
        Cost {
            work: vec![Work { flop: 2.0 * pairs * features, bytes: 4.0 * n as f64 * features, double: true }],
            memory: size.matrix(n) + 40.0 * pairs,
            ..Cost::default()
        }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let store = Store::open(&self.store)?;
        let most = self.options.samples.unwrap_or(SAMPLES);
        let samples = draw_samples(&store, most, self.seed, bench.report);
        if samples.len() < 3 {
            return Err(Error::Data(format!(
                "{}: clustering needs at least 3 samples, found {}",
                self.store.display(),
                samples.len()
            )));
        }
        let (known, study) = self.known(&store, &samples)?;
        for known in known.iter().filter(|known| known.n_classes() < 2) {
            let told = format!(
                "{}: fewer than two labels, so there is nothing to hold clusters against",
                known.name
            );
            (bench.report)(Event::Warning(told));
        }
        if let Some(study) = &study {
            for known in known.iter().filter(|known| known.name != study.name && is_of_studies(known, study))
            {
                let told = format!(
                    "every {} has one {} only: clusters by {1} cannot be told from clusters by {0}",
                    study.name, known.name
                );
                (bench.report)(Event::Warning(told));
            }
        }
        let spaces = self.spaces(&store, &samples, bench)?;
        let default = Settings::default();
        let settings = Settings {
            metric: self.options.metric.unwrap_or(default.metric),
            linkage: self.options.linkage.unwrap_or(default.linkage),
            neighbours: self.options.neighbours.unwrap_or(default.neighbours),
            clusters: self.options.clusters,
            t_sne: self.options.t_sne.unwrap_or(default.t_sne),
            seed: self.seed,
        };
        let clustering = cluster(&spaces, &known, study.as_ref(), &settings);
        let ids: Vec<String> = samples.iter().map(|i| store.samples().ids[*i].clone()).collect();
        let mut made_from = vec![Source::store(&store)];
        for (path, kind) in [(&self.model, "model"), (&self.landmarks, "landmarks")] {
            made_from.extend(path.as_ref().map(|path| Source::regular(path, kind)).transpose()?.flatten());
        }
        let made = Made { made_from, about: self.settings(), ..Made::default() };
        clustering.write(&self.dir, &ids, &known, &made, bench.force)?;
        let without_study = study.as_ref().map_or(0, Known::n_unknown);
        Ok(facts(Facts { samples: samples.len(), without_study, figures: clustering.figures }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The squares of the samples that are looked at, whatever else there is, once a space.
    #[test]
    fn the_cost_is_that_of_all_pairs() {
        let of = |samples, model: Option<&str>| {
            let cluster = Cluster {
                store: PathBuf::new(),
                model: model.map(PathBuf::from),
                landmarks: Some(PathBuf::new()),
                dir: PathBuf::new(),
                options: Options { samples, ..Options::default() },
                seed: 0,
            };
            let size = Size {
                samples: 900,
                genes: 70,
                train: 300,
                held_out: 600,
                landmarks: 6,
                hidden: vec![9, 3, 9],
            };
            cluster.cost(&size).work[0].flop
        };
        // no bottleneck, 50 components; or 3 of each
        assert_eq!(of(None, None), 2.0 * 600.0 * 600.0 * (50.0 + 6.0 + 140.0));
        assert_eq!(of(Some(20), Some("m")), 2.0 * 20.0 * 20.0 * (3.0 + 3.0 + 6.0 + 140.0));
    }

    #[test]
    fn samples_of_unknown_study_are_told() {
        let said = |without_study| Facts { samples: 5, without_study, figures: Vec::new() }.said();
        let told = "2 samples of unknown study: left out where samples of other studies are asked\n";
        assert_eq!(said(2), format!("{}{told}", said(0)));
    }
}
