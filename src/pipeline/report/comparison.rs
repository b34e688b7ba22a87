//! Against what: the lists beside one another, beside random draws and beside L1000.

use super::Run;
use super::pictures::Pictures;
use crate::nouns::counted;
use crate::pipeline::stages::compare::{PairFacts, TestFacts};
use crate::report::{Block, Cell, Column, Copied, Section, Table};

/// Names of the tables by test, which differ on a page.
const IDS: [[&str; 2]; 4] = [
    ["lists", "differences"],
    ["lists-2", "differences-2"],
    ["lists-3", "differences-3"],
    ["lists-4", "differences-4"],
];

pub fn section(run: &Run, pictures: &mut Pictures) -> Option<Section> {
    let mut blocks = Vec::new();
    if run.config.compare.is_none() {
        blocks.push(Block::Text("No comparison was made (compare = false).".into()));
    }
    let tests = run.summary.of_own_size().into_iter().flat_map(|size| &size.tests);
    for (test, ids) in tests.clone().zip(IDS) {
        blocks.push(Block::Text(format!(
            "Each list infers {} in the {} of {}: genes in none of the lists, samples that nothing was learned from.",
            counted(test.targets, "gene"),
            counted(test.samples, "sample"),
            test.store
        )));
        blocks.push(Block::Table(sets(test, ids[0])));
        blocks.push(Block::Table(pairs(test, ids[1])));
    }
    let more = tests.count().saturating_sub(IDS.len());
    if more > 0 {
        blocks.push(Block::Note(format!("{} more in the folder comparison.", counted(more, "test"))));
    }
    let curves = run.summary.compared.as_ref().map(|compared| compared.curves_text.trim_end());
    if let Some(text) = curves.filter(|text| !text.is_empty()) {
        let title = "Error against the number of landmarks".into();
        blocks.push(Block::Copied(Copied { title, text: text.into(), prose: false }));
    }
    blocks.extend(pictures.take("against"));
    Section::new("against", "Against what", blocks)
}

fn sets(test: &TestFacts, id: &'static str) -> Table {
    let mut sets: Vec<_> = test.sets.iter().collect();
    sets.sort_by(|a, b| a.nmse.unwrap_or(f64::INFINITY).total_cmp(&b.nmse.unwrap_or(f64::INFINITY)));
    let row = |set: &&crate::compare::SetFigures| {
        let name = if set.draws { format!("{} (mean of draws)", set.name) } else { set.name.clone() };
        let rank =
            set.rank.map_or(Cell::Missing, |(rank, draws)| Cell::text(format!("{rank} of {}", draws + 1)));
        let passing = set.passing.map(|share| 100.0 * share);
        let figures = [set.nmse, set.pcc, set.r2, set.mae, passing].map(Cell::number);
        let counts = [Cell::text(name), Cell::Number(set.landmarks as f64)];
        counts.into_iter().chain(figures).chain([rank]).collect()
    };
    Table {
        id,
        title: format!("Lists, tested on {}", test.store),
        caption: "Best first. Error: mean squared error over the gene's training variance, so that 1 is what the training mean \
                  reaches. Rank: among random draws of the same size, from 1, the best. Pass: the permutation test."
            .into(),
        columns: vec![
            Column::words("List"),
            Column::numbers("Genes", 0),
            Column::numbers("Error/var", 4),
            Column::numbers("Correlation", 4),
            Column::numbers("Median R²", 4),
            Column::numbers("MAE", 4),
            Column::numbers("Pass, %", 1),
            Column::words("Rank"),
        ],
        rows: sets.iter().map(row).collect(),
        shown: 30,
    }
}

fn pairs(test: &TestFacts, id: &'static str) -> Table {
    let row = |pair: &PairFacts| {
        let part = |x: f64| pair.means.map(|(_, b)| -100.0 * x / b);
        let less = pair.means.and_then(|(a, b)| part(a - b));
        let (low, high) = pair.interval.map_or((None, None), |(low, high)| (part(high), part(low)));
        let figures = [less, low, high].map(Cell::number);
        let names = [&pair.a, &pair.b].map(|name| Cell::text(name.as_str()));
        names
            .into_iter()
            .chain(figures)
            .chain([Cell::text(verdict(pair)), Cell::text(pair.over.as_str())])
            .collect()
    };
    Table {
        id,
        title: format!("Differences, tested on {}", test.store),
        caption: "By how much the error of a list is less than that of another, in percent of the other's, with the interval of \
                  95 %. It is taken over samples or groups: genes are not independent of one another."
            .into(),
        columns: vec![
            Column::words("List"),
            Column::words("Beside"),
            Column::numbers("Less error, %", 1),
            Column::numbers("from", 1),
            Column::numbers("to", 1),
            Column::words("So it is"),
            Column::words("Over"),
        ],
        rows: test.pairs.iter().map(row).collect(),
        shown: 30,
    }
}

fn verdict(pair: &PairFacts) -> &'static str {
    match pair.interval {
        Some((_, high)) if high < 0.0 => "better",
        Some((low, _)) if low > 0.0 => "worse",
        Some(_) => "no different",
        None => "not told: too few",
    }
}
