//! Samples and gene sets: whether samples that belong together lie together, and what the landmarks have more of.

use super::pictures::Pictures;
use super::{Run, methods::References};
use crate::cluster::{Figures, Linkage, Metric};
use crate::enrich::LEVEL;
use crate::error::Result;
use crate::nouns::counted;
use crate::pipeline::stages::{cluster, enrich};
use crate::report::{Block, Cell, Column, Section, Table};

/// Genes of a set that are named; enrichment.tsv names all.
const GENES: usize = 10;

const BH: &str = "Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful approach to multiple testing. \
                  Journal of the Royal Statistical Society B 1995;57:289–300.";
const GO: &str = "Ashburner M, Ball CA, Blake JA, et al. Gene Ontology: tool for the unification of biology. Nature Genetics \
                  2000;25:25–29. doi:10.1038/75556";

pub fn samples(run: &Run, pictures: &mut Pictures) -> Result<Option<Section>> {
    let mut blocks = Vec::new();
    if let Some(facts) = run.done.facts::<cluster::Facts>("cluster")? {
        blocks.push(Block::Text(format!(
            "Whether {} that the network was not trained on lie together as their labels say.",
            counted(facts.samples, "sample")
        )));
        blocks.push(Block::Table(clusters(&facts.figures)));
        blocks.extend(facts.left_out().map(|told| Block::Text(format!("{told}."))));
    }
    blocks.extend(pictures.take("samples"));
    Ok(Section::new("samples", "Samples", blocks))
}

fn clusters(figures: &[Figures]) -> Table {
    let row = |f: &Figures| {
        let names =
            [Cell::text(f.space.as_str()), Cell::Number(f.features as f64), Cell::text(f.column.as_str())];
        let values = [f.rand[0], f.rand[1], f.information[0], f.silhouette, f.neighbours[0], f.neighbours[1]];
        names.into_iter().chain([Cell::Number(f.classes as f64)]).chain(values.map(Cell::number)).collect()
    };
    let numbers =
        ["Rand, tree", "Rand, k-means", "NMI, tree", "Silhouette", "Neighbours", "Of other studies"];
    let columns = [
        Column::words("Space"),
        Column::numbers("Features", 0),
        Column::words("Label"),
        Column::numbers("Classes", 0),
    ];
    Table {
        id: "clusters",
        title: "Clusters against labels".into(),
        caption: "Adjusted Rand index and normalised mutual information of as many clusters as there are classes; silhouette of the \
                  labels; share of samples whose nearest others mostly have their label. Where clusters agree as well with a study or \
                  a batch, they are no biology."
            .into(),
        columns: columns.into_iter().chain(numbers.map(|title| Column::numbers(title, 3))).collect(),
        rows: figures.iter().map(row).collect(),
        shown: 30,
    }
}

pub fn sets(run: &Run, pictures: &mut Pictures) -> Result<Option<Section>> {
    let mut blocks = Vec::new();
    if let Some(facts) = run.done.facts::<enrich::Facts>("enrich")? {
        blocks.push(Block::List(facts.said().lines().map(String::from).collect()));
        blocks.extend(enrichment(run)?.map(Block::Table));
    }
    blocks.extend(pictures.take("sets"));
    Ok(Section::new("sets", "Gene sets", blocks))
}

fn enrichment(run: &Run) -> Result<Option<Table>> {
    let Some(sheet) = run.sheet("enrich", "enrichment.tsv")? else { return Ok(None) };
    let wanted = [
        ("Description", Column::words("Gene set")),
        ("GeneRatio", Column::words("Landmarks")),
        ("BgRatio", Column::words("Genes")),
        ("FoldEnrichment", Column::numbers("Fold", 2)),
        ("pvalue", Column::numbers("p", 6)),
        ("p.adjust", Column::numbers("Adjusted p", 4)),
        ("geneID", Column::words("Which")),
    ];
    let found = wanted.into_iter().filter_map(|(name, column)| Some((sheet.column(name)?, column)));
    let (fields, columns): (Vec<_>, Vec<_>) = found.unzip();
    let cell = |text: &str, column: &Column| match column.digits {
        Some(_) => Cell::number(text.parse().ok()),
        None => Cell::text(listed(text)),
    };
    let row = |i: usize| {
        fields.iter().zip(&columns).map(|(field, column)| cell(&field.fields[i], column)).collect()
    };
    let rows = (0..sheet.len()).map(row).collect();
    Ok(Some(Table {
        id: "enrichment",
        title: "Enrichment".into(),
        caption: "By the upper tail of the hypergeometric distribution, adjusted over all sets that were tested; enrichment.tsv has \
                  the lower tail and random panels beside them."
            .into(),
        columns,
        rows,
        shown: 10,
    }))
}

/// A ratio, or the first of many genes.
fn listed(text: &str) -> String {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.len() {
        0..=2 => text.replace('/', " / "),
        n if n > GENES => format!("{}, …", parts[..GENES].join(", ")),
        _ => parts.join(", "),
    }
}

/// What a paper says of both.
pub fn methods(run: &Run, references: &mut References) -> Option<String> {
    let clustered = run.done.facts::<cluster::Facts>("cluster").ok().flatten().map(|facts| {
        let default = crate::cluster::Settings::default();
        let options = run.config.cluster.clone().unwrap_or_default();
        let linkage = match options.linkage.unwrap_or(default.linkage) {
            Linkage::Ward => "Ward's linkage",
            Linkage::Average => "average linkage",
            Linkage::Complete => "complete linkage",
        };
        let metric = match options.metric.unwrap_or(default.metric) {
            Metric::Euclidean => "Euclidean",
            Metric::Correlation => "correlation",
        };
        let samples = counted(facts.samples, "held-out sample");
        format!(
            "Clusters of {samples} (hierarchical, by {linkage} and {metric} distance, and k-means) were held against labels by the adjusted Rand index and \
             normalised mutual information."
        )
    });
    let enriched = run.done.facts::<enrich::Facts>("enrich").ok().flatten().map(|facts| {
        let bundled = run.config.enrich.as_ref().is_none_or(|options| options.collection.is_none());
        let sets = match bundled {
            true => format!("sets of GO molecular functions {}", references.cite(GO)),
            false => "gene sets".into(),
        };
        format!(
            "Enrichment of the landmarks among {} unique genes was tested for {} {sets} by the hypergeometric distribution, adjusted \
             after Benjamini and Hochberg {}: {} had an adjusted p below {LEVEL}.",
            facts.summary.universe,
            facts.summary.sets,
            references.cite(BH),
            facts.summary.beyond[0]
        )
    });
    let said: Vec<String> = clustered.into_iter().chain(enriched).collect();
    (!said.is_empty()).then(|| said.join(" "))
}
