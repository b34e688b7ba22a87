//! Do samples lie together that belong together? Clusters and neighbourhoods in several spaces (the bottleneck, principal
//! components of equal width, the landmarks, all genes) beside what is known of the samples, and beside the study that they come
//! from: a clustering that finds the study is not biology.

pub mod distances;
pub mod indices;
pub mod k_means;
pub mod t_sne;
pub mod tree;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use distances::{Distances, Metric};
pub use k_means::k_means;
pub use tree::{Linkage, Tree};

use crate::error::Result;
use crate::evaluate::optional;
use crate::genes::sidecar::Made;
use crate::genes::writer::write_rows;
use crate::prepare::split::is_unlabelled;
use crate::select::columns::Columns;
use crate::select::eigen::Components;
use crate::store::{atomic, sealed};

/// How samples are clustered and asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Of samples.
    pub metric: Metric,
    /// Of clusters.
    pub linkage: Linkage,
    /// Nearest samples that are asked for a label.
    pub neighbours: usize,
    /// Clusters of the table of clusters; as many as the first column has classes where it is not given.
    pub clusters: Option<usize>,
    /// Samples up to which there are maps by t-SNE.
    pub t_sne: usize,
    /// Of k-means' starts.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let (metric, linkage) = (Metric::default(), Linkage::default());
        Settings { metric, linkage, neighbours: 5, clusters: None, t_sne: 2_000, seed: 0 }
    }
}

/// Samples × features, by which samples are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// Such as `bottleneck`.
    pub name: String,
    /// The values.
    pub values: Columns,
}

/// The first `k` principal components of z-scored samples × genes, as scores.
pub fn components(genes: &Columns, k: usize) -> Columns {
    let Components { vectors, values, .. } = Components::leading(&genes.gram(), k);
    let scores = vectors.column_iter().zip(&values).flat_map(|(vector, value)| {
        let size = value.sqrt();
        vector.iter().map(move |x| (x * size) as f32).collect::<Vec<_>>()
    });
    Columns::new(genes.rows(), scores.collect())
}

/// What is known of the samples: a column of their table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The column's name.
    pub name: String,
    /// Of each sample; blank where it is not known.
    pub labels: Vec<String>,
}

impl Known {
    /// How many different labels there are.
    pub fn n_classes(&self) -> usize {
        self.classes().1.iter().max().map_or(0, |max| max + 1)
    }

    /// How many samples have no label.
    pub fn n_unknown(&self) -> usize {
        (0..self.labels.len()).filter(|sample| self.label(*sample).is_none()).count()
    }

    /// A sample's label, where it is known.
    fn label(&self, sample: usize) -> Option<&str> {
        Some(self.labels[sample].trim()).filter(|label| !is_unlabelled(label))
    }

    /// The samples that have a label, and their labels as places in the sorted list of all.
    fn classes(&self) -> (Vec<usize>, Vec<usize>) {
        let (labelled, labels): (Vec<usize>, Vec<&str>) =
            (0..self.labels.len()).filter_map(|sample| Some((sample, self.label(sample)?))).unzip();
        let names: Vec<&str> = labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let class = |label: &&str| names.binary_search(label).expect("one of them");
        let classes = labels.iter().map(class).collect();
        (labelled, classes)
    }
}

/// The figures of a space against a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figures {
    /// Which space.
    pub space: String,
    /// Its features.
    pub features: usize,
    /// Which column.
    pub column: String,
    /// Samples with a label there.
    pub samples: usize,
    /// Different labels.
    pub classes: usize,
    /// Adjusted Rand index of the tree cut into as many clusters as there are classes, and of k-means; `None` for fewer than two classes,
    /// which every clustering agrees with.
    pub rand: [Option<f64>; 2],
    /// Normalised mutual information of both.
    pub information: [Option<f64>; 2],
    /// Of the labels.
    pub silhouette: Option<f64>,
    /// The share of samples whose nearest others mostly have their label; and where samples of other studies alone are asked, by and of
    /// those whose study is known.
    pub neighbours: [Option<f64>; 2],
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// By space, then by column.
    pub figures: Vec<Figures>,
    /// Of each space: its name, its tree, and each sample's cluster of the tree and of k-means.
    pub trees: Vec<(String, Tree, [Vec<usize>; 2])>,
    /// Of each space the first two principal axes of its samples.
    pub maps: Vec<(String, Columns)>,
}

/// Clusters the samples in every space. `study` is among `known`, where it is known.
pub fn cluster(spaces: &[Space], known: &[Known], study: Option<&Known>, settings: &Settings) -> Clustering {
    let clusters = settings.clusters.or(known.first().map(Known::n_classes)).unwrap_or(2).max(1);
    let mut all = Clustering { figures: Vec::new(), trees: Vec::new(), maps: Vec::new() };
    for space in spaces {
        let distances = Distances::of(&space.values, settings.metric);
        let tree = Tree::of(&distances, settings.linkage);
        for known in known {
            all.figures.push(figures(space, &distances, &tree, known, study, settings));
        }
        let of = [tree.cut(clusters), k_means(&distances, clusters, settings.seed)];
        all.trees.push((space.name.clone(), tree, of));
        let axes = axes(&distances);
        let near = (distances.n <= settings.t_sne).then(|| t_sne::t_sne(&distances, &axes)).flatten();
        all.maps.push((space.name.clone(), axes));
        all.maps.extend(near.map(|map| (format!("{}{T_SNE}", space.name), map)));
    }
    all
}

fn figures(
    space: &Space,
    distances: &Distances,
    tree: &Tree,
    known: &Known,
    study: Option<&Known>,
    settings: &Settings,
) -> Figures {
    let (labelled, labels) = known.classes();
    let classes = labels.iter().max().map_or(0, |max| max + 1);
    let of_labelled = |clusters: Vec<usize>| labelled.iter().map(|i| clusters[*i]).collect::<Vec<_>>();
    let clusters = [tree.cut(classes), k_means(distances, classes, settings.seed)].map(of_labelled);
    let own = distances.select(&labelled);
    let studies: Vec<Option<&str>> = labelled.iter().map(|i| study.and_then(|of| of.label(*i))).collect();
    let other_study = |i: usize, j: usize| studies[i].zip(studies[j]).is_some_and(|(a, b)| a != b);
    let several = classes > 1;
    let is_study = study.is_some_and(|study| study.name == known.name);
    let asked =
        |may: &dyn Fn(usize, usize) -> bool| indices::neighbours(&own, &labels, settings.neighbours, may);
    Figures {
        space: space.name.clone(),
        features: space.values.len(),
        column: known.name.clone(),
        samples: labelled.len(),
        classes,
        rand: [0, 1].map(|i| several.then(|| indices::adjusted_rand(&labels, &clusters[i]))),
        information: [0, 1]
            .map(|i| several.then(|| indices::normalized_mutual_information(&labels, &clusters[i]))),
        silhouette: indices::silhouette(&own, &labels),
        neighbours: [
            several.then(|| asked(&|_, _| true)).flatten(),
            (several && !is_study).then(|| asked(&other_study)).flatten(),
        ],
    }
}

/// The two principal axes of samples by their squared distances (Torgerson 1952).
fn axes(distances: &Distances) -> Columns {
    let n = distances.n;
    let mean = |i: usize| (0..n).map(|j| distances.square(i, j)).sum::<f64>() / n as f64;
    let means: Vec<f64> = (0..n).map(mean).collect();
    let all = means.iter().sum::<f64>() / n as f64;
    let inner = |i: usize, j: usize| -(distances.square(i, j) - means[i] - means[j] + all) / 2.0;
    let Components { vectors, values, .. } = Components::leading(&nalgebra::DMatrix::from_fn(n, n, inner), 2);
    let mut out = vec![0.0; 2 * n];
    for ((out, vector), value) in out.chunks_exact_mut(n).zip(vectors.column_iter()).zip(values) {
        out.iter_mut().zip(vector.iter()).for_each(|(out, x)| *out = (x * value.sqrt()) as f32);
    }
    Columns::new(n, out)
}

/// What is behind a space's name in the columns of its map by t-SNE.
pub const T_SNE: &str = "_tsne";

/// Whether each study has one label only, of the samples whose study is known.
pub fn is_of_studies(known: &Known, study: &Known) -> bool {
    let (labelled, labels) = known.classes();
    let mut of = std::collections::HashMap::new();
    let mut one = true;
    for (sample, label) in labelled.iter().zip(&labels) {
        let Some(study) = study.label(*sample) else { continue };
        one &= *of.entry(study).or_insert(label) == label;
    }
    one && of.len() > 1
}

/// The files of a clustering.
pub const FILES: [&str; 5] = ["figures.tsv", "clusters.tsv", "map.tsv", "trees.tsv", "clustering.json"];

/// The columns of `figures.tsv`.
const HEADER: [&str; 12] = [
    "space",
    "features",
    "column",
    "samples",
    "classes",
    "rand_tree",
    "rand_k_means",
    "information_tree",
    "information_k_means",
    "silhouette",
    "neighbours",
    "neighbours_of_other_studies",
];

impl Figures {
    fn fields(&self) -> [String; 12] {
        [
            self.space.clone(),
            self.features.to_string(),
            self.column.clone(),
            self.samples.to_string(),
            self.classes.to_string(),
            optional(self.rand[0]),
            optional(self.rand[1]),
            optional(self.information[0]),
            optional(self.information[1]),
            optional(self.silhouette),
            optional(self.neighbours[0]),
            optional(self.neighbours[1]),
        ]
    }
}

impl Clustering {
    /// Writes [`FILES`] into a folder: figures; each sample's clusters; maps, by the first two axes and by t-SNE; trees in Newick's form.
    ///
    /// # Errors
    /// As [`atomic::write_folder`].
    pub fn write(&self, dir: &Path, ids: &[String], known: &[Known], made: &Made, force: bool) -> Result<()> {
        atomic::write_folder(dir, force, &FILES, |dir| {
            write_rows(&dir.join(FILES[0]), true, HEADER, self.figures.iter().map(Figures::fields))?;
            self.write_clusters(&dir.join(FILES[1]), ids, known)?;
            self.write_maps(&dir.join(FILES[2]), ids)?;
            let trees = self.trees.iter().map(|(name, tree, _)| [name.clone(), tree.newick(ids)]);
            write_rows(&dir.join(FILES[3]), true, ["space", "newick"], trees)?;
            sealed::seal(dir, "clustering", &FILES[..4], serde_json::json!(made))
        })
    }

    fn write_clusters(&self, path: &Path, ids: &[String], known: &[Known]) -> Result<()> {
        let of =
            self.trees.iter().flat_map(|(name, _, _)| [format!("{name}_tree"), format!("{name}_k_means")]);
        let header =
            ["sample_id".to_string()].into_iter().chain(known.iter().map(|k| k.name.clone())).chain(of);
        let row = |(i, id): (usize, &String)| {
            let labels = known.iter().map(move |known| known.labels[i].clone());
            let clusters =
                self.trees.iter().flat_map(move |(_, _, of)| [0, 1].map(|at| (of[at][i] + 1).to_string()));
            [id.clone()].into_iter().chain(labels).chain(clusters)
        };
        write_rows(path, true, header, ids.iter().enumerate().map(row))
    }

    fn write_maps(&self, path: &Path, ids: &[String]) -> Result<()> {
        let axes = self.maps.iter().flat_map(|(name, _)| [1, 2].map(|axis| format!("{name}_{axis}")));
        let header = ["sample_id".to_string()].into_iter().chain(axes);
        let row = |(i, id): (usize, &String)| {
            let values =
                self.maps.iter().flat_map(move |(_, map)| [0, 1].map(|axis| map.column(axis)[i].to_string()));
            [id.clone()].into_iter().chain(values)
        };
        write_rows(path, true, header, ids.iter().enumerate().map(row))
    }
}
