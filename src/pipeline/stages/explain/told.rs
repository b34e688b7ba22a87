//! What is told of genes and neurons: lines for a reader, rows for tables.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::FILES;
use crate::enrich::{self, Tested, Universe};
use crate::error::Result;
use crate::explain::Moves;
use crate::genes::shown;
use crate::genes::sidecar::Made;
use crate::genes::writer::write_rows;
use crate::infer::{Places, Without};
use crate::select::StandIn;
use crate::store::{Store, atomic, sealed};

/// Of one gene or neuron, for a reader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Told {
    /// What it is called.
    pub name: String,
    /// What is said of it, by what.
    pub lines: Vec<(String, String)>,
}

impl Told {
    /// Nothing yet.
    pub(super) fn of(name: String) -> Told {
        Told { name, lines: Vec::new() }
    }

    pub(super) fn say(&mut self, by: &str, text: String) {
        self.lines.push((by.into(), text));
    }
}

/// Rows of the tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    landmarks: Vec<Landmark>,
    neurons: Vec<[String; 6]>,
    served: Vec<[String; 8]>,
    stand_ins: Vec<[String; 5]>,
    carriers: Vec<[String; 6]>,
    sets: Vec<Vec<String>>,
}

/// A landmark among the others.
#[derive(Debug)]
struct Landmark {
    called: String,
    /// R² over all targets together, less R² without it.
    lost: Option<f64>,
    fields: [String; 10],
}

fn symbol(store: &Store, gene: usize) -> String {
    store.genes().column("symbol").map_or_else(String::new, |symbols| symbols[gene].clone())
}

fn id(store: &Store, gene: usize) -> String {
    store.genes().ids[gene].clone()
}

/// Targets by what they lose, the most first.
fn by_loss(found: &Without) -> Vec<(usize, f32)> {
    let lost = found.all.iter().zip(&found.without).map(|(all, without)| all - without);
    let mut order: Vec<(usize, f32)> = lost.enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order
}

fn mean_loss(found: &Without) -> f64 {
    let lost = found.all.iter().zip(&found.without).map(|(all, without)| f64::from(all - without));
    lost.sum::<f64>() / found.all.len().max(1) as f64
}

/// Pearson's correlation of one gene with others over samples; 0 where one is constant.
fn correlations(store: &Store, samples: &[usize], gene: usize, others: &[usize]) -> Vec<f64> {
    let (mut row, mut first) = (vec![0.0; others.len() + 1], Vec::new());
    let columns: Vec<usize> = others.iter().copied().chain([gene]).collect();
    // of each gene Σx, Σx², and Σxy with the one, less the first sample's value, which loses no digits
    let mut sums = vec![[0.0f64; 3]; columns.len()];
    for sample in samples {
        store.read_genes(*sample, &columns, &mut row);
        if first.is_empty() {
            first.clone_from(&row);
        }
        let own = f64::from(row[others.len()]) - f64::from(first[others.len()]);
        for ((sums, x), first) in sums.iter_mut().zip(&row).zip(&first) {
            let x = f64::from(*x) - f64::from(*first);
            *sums = [sums[0] + x, sums[1] + x * x, sums[2] + x * own];
        }
    }
    let n = samples.len().max(1) as f64;
    let spread = |[x, xx, _]: [f64; 3]| xx - x * x / n;
    let own = sums[others.len()];
    let r = |sums: &[f64; 3]| {
        let size = (spread(*sums) * spread(own)).sqrt();
        if size > 0.0 { ((sums[2] - sums[0] * own[0] / n) / size).clamp(-1.0, 1.0) } else { 0.0 }
    };
    sums[..others.len()].iter().map(r).collect()
}

/// The first of `genes` by the size of their correlation.
fn most_like(store: &Store, genes: &[usize], r: &[f64], most: usize) -> String {
    let mut order: Vec<usize> = (0..genes.len()).collect();
    order.sort_by(|a, b| r[*b].abs().total_cmp(&r[*a].abs()).then(a.cmp(b)));
    let said = order.iter().take(most).map(|i| format!("{} {:.2}", shown(store.genes(), genes[*i]), r[*i]));
    said.collect::<Vec<_>>().join(", ")
}

impl Tables {
    pub(super) fn moves(&mut self, store: &Store, columns: &[usize], moves: &[Moves]) {
        self.neurons.extend(moves.iter().map(|m| {
            let gene = columns[m.gene];
            let [contribution, share] = [m.contribution, m.share].map(|x| x.to_string());
            [
                (m.neuron + 1).to_string(),
                id(store, gene),
                symbol(store, gene),
                contribution,
                m.rank.to_string(),
                share,
            ]
        }));
    }

    pub(super) fn served(
        &mut self,
        (store, landmark): (&Store, usize),
        (test, row, samples): (&Store, usize, &[usize]),
        (targets, found): (&[usize], &Without),
        most: usize,
        told: &mut Told,
    ) {
        let r = correlations(test, samples, row, targets);
        let order = by_loss(found);
        let how = if found.refitted { "refitted without it" } else { "with it at its training mean" };
        let count = order.iter().filter(|(_, lost)| *lost > 0.01).count();
        told.say(
            "serves",
            format!(
                "{count} of {} inferred genes lose more than 0.01 of R², {how}; all lose {:.5} on average",
                order.len(),
                mean_loss(found)
            ),
        );
        let first = order.iter().take(most).filter(|(_, lost)| *lost > 0.0).map(|(t, _)| {
            format!("{} {:.3} → {:.3}", shown(test.genes(), targets[*t]), found.all[*t], found.without[*t])
        });
        told.say("serves most", first.collect::<Vec<_>>().join(", "));
        told.say("is most like", format!("{} (r)", most_like(test, targets, &r, most)));
        self.served.extend(order.iter().map(|(t, lost)| {
            let numbers = [found.all[*t], found.without[*t], *lost].map(|x| x.to_string());
            let ([all, without, lost], r) = (numbers, r[*t].to_string());
            let gene = targets[*t];
            [
                id(store, landmark),
                symbol(store, landmark),
                id(test, gene),
                symbol(test, gene),
                all,
                without,
                lost,
                r,
            ]
        }));
    }

    #[allow(clippy::too_many_arguments)] // the parts of one row
    pub(super) fn carriers(
        &mut self,
        (store, target): (&Store, usize),
        test: &Store,
        samples: &[usize],
        places: &Places,
        lost: &[f32],
        most: usize,
        told: &mut Told,
    ) {
        let Some(row) = test.genes().ids.iter().position(|other| *other == store.genes().ids[target]) else {
            return;
        };
        let known = places.landmarks.iter().zip(lost);
        let (genes, lost): (Vec<usize>, Vec<f32>) =
            known.filter_map(|(place, lost)| Some(((*place)?, *lost))).unzip();
        let r = correlations(test, samples, row, &genes);
        let mut order: Vec<usize> = (0..genes.len()).collect();
        order.sort_by(|a, b| lost[*b].total_cmp(&lost[*a]).then(a.cmp(b)));
        let first = order
            .iter()
            .take(most)
            .filter(|i| lost[**i] > 0.0)
            .map(|i| format!("{} −{:.3}", shown(test.genes(), genes[*i]), lost[*i]));
        told.say(
            "is carried by",
            format!("{} (R² lost with it at its mean)", first.collect::<Vec<_>>().join(", ")),
        );
        told.say("is most like", format!("{} (r)", most_like(test, &genes, &r, most)));
        self.carriers.extend(order.iter().map(|i| {
            let ([lost, r], gene) = ([lost[*i].to_string(), r[*i].to_string()], genes[*i]);
            [id(store, target), symbol(store, target), id(test, gene), symbol(test, gene), lost, r]
        }));
    }

    pub(super) fn stand_ins(&mut self, store: &Store, landmark: usize, found: &[StandIn], told: &mut Told) {
        let said = found.iter().map(|s| format!("{} {:.1} %", shown(store.genes(), s.gene), 100.0 * s.loss));
        told.say("stand-ins", said.collect::<Vec<_>>().join(", "));
        self.stand_in_rows(store, landmark, found);
    }

    fn stand_in_rows(&mut self, store: &Store, landmark: usize, found: &[StandIn]) {
        self.stand_ins.extend(found.iter().map(|s| {
            let loss = s.loss.to_string();
            [id(store, landmark), symbol(store, landmark), id(store, s.gene), symbol(store, s.gene), loss]
        }));
    }

    pub(super) fn sets(&mut self, neuron: usize, universe: &Universe, tested: &[Tested]) {
        self.sets.extend(tested.iter().map(|set| {
            let own = [(neuron + 1).to_string()];
            own.into_iter().chain(enrich::fields(universe, set)).collect()
        }));
    }

    /// A landmark's row; `served` is what R² loses without it, and the target that loses most.
    pub(super) fn landmark(
        &mut self,
        (store, gene, place): (&Store, usize, usize),
        neuron: Option<Moves>,
        served: Option<(f64, Option<(String, f64)>)>,
        stand_ins: &[StandIn],
    ) {
        let optional = |text: Option<String>| text.unwrap_or_else(|| "NA".into());
        let lost = served.as_ref().map(|(lost, _)| *lost);
        let best = served.and_then(|(_, best)| best);
        let first = stand_ins.first();
        let fields = [
            (place + 1).to_string(),
            id(store, gene),
            symbol(store, gene),
            optional(neuron.map(|m| (m.neuron + 1).to_string())),
            optional(neuron.map(|m| m.share.to_string())),
            optional(lost.map(|lost| lost.to_string())),
            optional(best.as_ref().map(|(id, _)| id.clone())),
            optional(best.as_ref().map(|(_, lost)| lost.to_string())),
            optional(first.map(|s| id(store, s.gene))),
            optional(first.map(|s| s.loss.to_string())),
        ];
        self.stand_in_rows(store, gene, stand_ins);
        self.landmarks.push(Landmark { called: shown(store.genes(), gene), lost, fields });
    }

    /// The landmarks that would be missed most, and least.
    pub(super) fn say_landmarks(&self, most: usize, told: &mut Told) {
        let mut known: Vec<(&str, f64)> =
            self.landmarks.iter().filter_map(|row| Some((row.called.as_str(), row.lost?))).collect();
        if known.is_empty() {
            let why = "nothing is told: no predictor is known that can be refitted without them".into();
            return told.say("serve", why);
        }
        known.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        let said = |rows: &[(&str, f64)]| {
            let each = rows.iter().map(|(called, lost)| format!("{called} {lost:.5}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let n = most.min(known.len());
        told.say("missed most", format!("R² lost over all genes without it: {}", said(&known[..n])));
        told.say("missed least", said(&known[known.len() - n..]));
    }

    /// The folder; `asked` are the genes and neurons that were explained one by one.
    pub(super) fn write(&self, dir: &Path, made: &Made, asked: Value, force: bool) -> Result<()> {
        let own = |columns: &[&str]| -> Vec<String> { columns.iter().map(ToString::to_string).collect() };
        let sets: Vec<String> = own(&["neuron"]).into_iter().chain(own(&enrich::HEADER)).collect();
        let landmarks = own(&[
            "rank",
            "gene_id",
            "symbol",
            "neuron",
            "share_of_neuron",
            "r2_lost",
            "serves_most",
            "most_lost",
            "stand_in",
            "loss",
        ]);
        let neurons = own(&["neuron", "gene_id", "symbol", "contribution", "rank", "share"]);
        let served = own(&[
            "gene_id",
            "symbol",
            "target_id",
            "target_symbol",
            "r2",
            "r2_without",
            "r2_lost",
            "correlation",
        ]);
        let stand_ins = own(&["gene_id", "symbol", "stand_in", "stand_in_symbol", "loss"]);
        let carriers = own(&["target_id", "target_symbol", "gene_id", "symbol", "r2_lost", "correlation"]);
        atomic::write_folder(dir, force, &FILES, |dir| {
            let file = |at: usize| dir.join(FILES[at]);
            write_rows(&file(0), true, &landmarks, self.landmarks.iter().map(|row| &row.fields))?;
            write_rows(&file(1), true, &neurons, &self.neurons)?;
            write_rows(&file(2), true, &served, &self.served)?;
            write_rows(&file(3), true, &stand_ins, &self.stand_ins)?;
            write_rows(&file(4), true, &carriers, &self.carriers)?;
            write_rows(&file(5), true, &sets, &self.sets)?;
            let mut about = json!(made);
            about["asked"] = asked;
            sealed::seal(dir, "explanation", &FILES[..6], about)
        })
    }
}
