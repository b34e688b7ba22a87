//! Hierarchical clustering: which samples merge first, cut into clusters, and as a text.

use kodama::{Method, linkage};
use serde::{Deserialize, Serialize};

use super::distances::Distances;

/// How far two clusters are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Linkage {
    /// The least growth of the squares within (Ward 1963).
    #[default]
    Ward,
    /// The mean distance of their samples.
    Average,
    /// The largest.
    Complete,
}

/// A merge of two clusters: samples are 0 to n − 1, the i-th merge makes n + i.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// The clusters, the one of the lesser number first.
    pub of: [usize; 2],
    /// How far they were from each other.
    pub height: f64,
}

/// n − 1 merges, by height: the rows of SciPy's `linkage`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Number of samples.
    pub n: usize,
    /// In the order in which they happen.
    pub merges: Vec<Merge>,
}

impl Tree {
    /// Of samples with these distances. O(n²).
    pub fn of(distances: &Distances, by: Linkage) -> Tree {
        let method = match by {
            Linkage::Ward => Method::Ward,
            Linkage::Average => Method::Average,
            Linkage::Complete => Method::Complete,
        };
        let mut condensed = distances.condensed();
        let dendrogram = linkage(&mut condensed, distances.n, method);
        let merges = dendrogram.steps().iter();
        let merge = |step: &kodama::Step<f64>| Merge {
            of: [step.cluster1.min(step.cluster2), step.cluster1.max(step.cluster2)],
            height: step.dissimilarity,
        };
        Tree { n: distances.n, merges: merges.map(merge).collect() }
    }

    /// Each sample's cluster where `clusters` of them are left, numbered from 0 as they come.
    pub fn cut(&self, clusters: usize) -> Vec<usize> {
        let keep = self.n.saturating_sub(clusters.max(1));
        let mut parent: Vec<usize> = (0..self.n + self.merges.len()).collect();
        for (i, merge) in self.merges.iter().take(keep).enumerate() {
            merge.of.iter().for_each(|child| parent[*child] = self.n + i);
        }
        let root = |mut at: usize| {
            while parent[at] != at {
                at = parent[at];
            }
            at
        };
        numbered((0..self.n).map(root))
    }

    /// The samples from one end of the drawing to the other.
    pub fn order(&self) -> Vec<usize> {
        let (mut order, mut open) = (Vec::new(), vec![self.n + self.merges.len().saturating_sub(1)]);
        if self.merges.is_empty() {
            return (0..self.n).collect();
        }
        while let Some(at) = open.pop() {
            match at.checked_sub(self.n) {
                None => order.push(at),
                Some(merge) => open.extend(self.merges[merge].of.iter().rev()),
            }
        }
        order
    }

    /// In Newick's form, with the names of the samples and the lengths of the branches: half of a merge's height lies on either side.
    pub fn newick(&self, names: &[String]) -> String {
        let quoted = |name: &String| format!("'{}'", name.replace('\'', "''"));
        let mut texts: Vec<(String, f64)> = names.iter().map(|name| (quoted(name), 0.0)).collect();
        for merge in &self.merges {
            let height = merge.height / 2.0;
            let side = |child: usize| {
                let (text, from) = &texts[child];
                format!("{text}:{}", (height - from).max(0.0))
            };
            let text = format!("({},{})", side(merge.of[0]), side(merge.of[1]));
            merge.of.iter().for_each(|child| texts[*child].0 = String::new());
            texts.push((text, height));
        }
        texts.pop().map_or_else(String::new, |(text, _)| text) + ";"
    }
}

/// Labels as numbers from 0, in the order in which they come.
pub fn numbered<T: std::hash::Hash + Eq>(labels: impl Iterator<Item = T>) -> Vec<usize> {
    let mut seen = std::collections::HashMap::new();
    labels
        .map(|label| {
            let next = seen.len();
            *seen.entry(label).or_insert(next)
        })
        .collect()
}
