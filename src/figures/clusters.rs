//! What a clustering's folder tells: a map and a dendrogram of each space.

use std::path::Path;

use super::labels::Labels;
use super::newick::Tree;
use super::table::Table;
use super::text::name;
use super::{Figure, map, tree};
use crate::cluster::T_SNE;
use crate::error::{Error, Result};

/// From a folder that `cluster` wrote: by the first column of labels.
pub(super) fn figures(dir: &Path) -> Result<Vec<Figure>> {
    let clusters = Table::read(&dir.join("clusters.tsv"))?;
    let (maps, trees) = (Table::read(&dir.join("map.tsv"))?, Table::read(&dir.join("trees.tsv"))?);
    let ids = clusters.texts("sample_id")?.to_vec();
    let labels = labels(&clusters)?;
    let mut found = Vec::new();
    for (space, newick) in trees.texts("space")?.iter().zip(trees.texts("newick")?) {
        let stem = stem(space);
        let [x, y] = [maps.numbers(&format!("{space}_1"))?, maps.numbers(&format!("{space}_2"))?];
        let points = x.into_iter().zip(y).collect();
        let own = if maps.texts("sample_id")? == ids { labels.clone() } else { Labels::none(maps.len()) };
        let axes = [1, 2].map(|i| format!("axis {i} of the {}", name(space, 24)));
        let samples = maps.texts("sample_id")?.to_vec();
        found.extend(map::figure(
            &format!("map-{stem}"),
            &format!("the first two principal axes of {}", of(space)),
            axes,
            samples.clone(),
            points,
            own.clone(),
        ));
        if let [Ok(x), Ok(y)] = [1, 2].map(|axis| maps.numbers(&format!("{space}{T_SNE}_{axis}"))) {
            let axes = [1, 2].map(|i| format!("t-SNE {i}, no unit"));
            let (points, what) = (
                x.into_iter().zip(y).collect(),
                format!("t-SNE of {}, which keeps who is near and not how far the far are", of(space)),
            );
            found.extend(map::figure(&format!("map-{stem}-tsne"), &what, axes, samples, points, own));
        }
        let tree = Tree::parse(newick)
            .map_err(|error| Error::input(trees.path(), format!("{space}: {error}; make it anew")))?;
        found.extend(tree::figures(&format!("tree-{stem}"), &of(space), tree, &ids, labels.clone()));
    }
    Ok(found)
}

/// The first column that is neither the ids nor clusters.
fn labels(clusters: &Table) -> Result<Labels> {
    let given =
        |name: &&&str| **name != "sample_id" && !name.ends_with("_tree") && !name.ends_with("_k_means");
    match clusters.names().iter().find(given) {
        Some(column) => Ok(Labels::new(column, clusters.texts(column)?)),
        None => Ok(Labels::none(clusters.len())),
    }
}

/// What a space is, in a sentence.
fn of(space: &str) -> String {
    match space {
        "bottleneck" => "the activations of the network's bottleneck".into(),
        "components" => "principal components".into(),
        "landmarks" => "the landmarks".into(),
        "genes" => "all genes".into(),
        other => name(other, 30),
    }
}

/// A part of a file's name.
pub(super) fn stem(text: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().take(40).map(clean).collect()
}
