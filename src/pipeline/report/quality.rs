//! How good the network and the predictor are.

use super::Run;
use super::pictures::Pictures;
use crate::nouns::counted;
use crate::pipeline::choice::word;
use crate::pipeline::stages::{evaluate, fit};
use crate::report::{Block, Fact, Section};

pub fn section(run: &Run, pictures: &mut Pictures) -> Option<Section> {
    let mut blocks = Vec::new();
    if let Some(evaluated) = &run.summary.evaluated {
        blocks.push(Block::Text(format!(
            "The network was asked for {} that it was not trained on.",
            counted(evaluated.samples, "sample")
        )));
        blocks.push(Block::Facts(network(run, evaluated)));
    } else if run.config.train.is_none() {
        blocks.push(Block::Text("No network was trained (train = false).".into()));
    }
    if let Some(fitted) = &run.summary.fitted {
        blocks.push(Block::Text("The predictor infers the other genes from the landmarks.".into()));
        blocks.push(Block::Facts(predictor(fitted)));
    }
    blocks.extend(pictures.take("good"));
    Section::new("good", "How good", blocks)
}

fn three(x: Option<f64>) -> String {
    x.map_or_else(|| "undefined".into(), |x| format!("{x:.3}"))
}

fn network(run: &Run, e: &evaluate::Facts) -> Vec<Fact> {
    let share = 100.0 * e.permutation_share;
    let trained = run.summary.trained.as_ref().map(|trained| {
        let last = trained.last.as_ref().map(|last| last.train_loss);
        Fact::new("Training", format!("{}, last loss {}", counted(trained.epochs, "epoch"), three(last)))
    });
    let scores = run.summary.attributed.as_ref().map(|scores| {
        let text = format!(
            "DeepLIFT of {} over {}; contributions add up within {:.1e}",
            counted(scores.neurons, "neuron"),
            counted(scores.samples, "sample"),
            scores.completeness.relative()
        );
        Fact::new("Scores", text)
    });
    let figures = [
        Fact::new(
            "Mean error",
            format!(
                "{:.3}; {:.3} for each gene's training median: ratio {}",
                e.mae,
                e.baseline_mae,
                three(e.mae_ratio)
            ),
        ),
        Fact::new(
            "Correlation by gene",
            format!("mean {}, median {}", three(e.pcc_gene_mean), three(e.pcc_gene_median)),
        ),
        Fact::new(
            "R² by gene",
            format!("mean {}, median {}", three(e.r2_gene_mean), three(e.r2_gene_median)),
        ),
        Fact::new(
            "Correlation by sample",
            format!(
                "{}; {} for one profile of medians for all",
                three(e.pcc_sample_mean),
                three(e.pcc_sample_constant)
            ),
        ),
        Fact::new(
            "Permutation test",
            format!("{} of {} pass ({share:.1} %)", e.permutation_passed, counted(e.genes, "gene")),
        ),
    ];
    trained.into_iter().chain(figures).chain(scores).collect()
}

/// What was changed for other samples, where something was.
fn for_others(chosen: &serde_json::Value) -> String {
    let factor = chosen["adapted-factor"].as_f64().filter(|factor| *factor > 1.0);
    let factor = factor.map(|factor| format!(" × {factor:.3} for the samples to be inferred"));
    let offsets = chosen["group-variance"].as_f64();
    let offsets = offsets.map(|ratio| format!(", offsets of groups of variance {ratio}"));
    [factor, offsets].into_iter().flatten().collect()
}

fn predictor(f: &fit::Facts) -> Vec<Fact> {
    let mut facts = vec![Fact::new(
        "Predictor",
        format!(
            "{}, {} from {}, fitted on {}",
            word(f.method),
            counted(f.targets, "gene"),
            counted(f.landmarks, "landmark"),
            counted(f.samples, "sample")
        ),
    )];
    facts.extend(
        f.chosen["penalty"]
            .as_f64()
            .map(|p| p / f.chosen["adapted-factor"].as_f64().unwrap_or(1.0))
            .map(|p| Fact::new("Penalty", format!("{p:.4} by cross-validation{}", for_others(&f.chosen)))),
    );
    if let Some(held_out) = &f.held_out {
        let [mean, median] = held_out.r2;
        facts.push(Fact::new(
            "R² held out",
            format!(
                "mean {mean:.3}, median {median:.3}, in {} of the training samples{}",
                counted(held_out.how.folds, "fold"),
                if held_out.how.grouped(f.samples) { ", groups kept whole" } else { "" }
            ),
        ));
        facts.push(Fact::new(
            "Well inferred",
            format!("{} genes with an R² of 0.5 and more", held_out.reliable),
        ));
        let at = held_out.how.levels.iter().position(|level| *level == 0.9);
        facts.extend(at.and_then(|at| *held_out.coverage.get(at)?).map(|[mean, ..]| {
            Fact::new("Intervals of 90 %", format!("hold {:.1} % of the held-out values", 100.0 * mean))
        }));
    }
    facts
}
