//! A paragraph for a paper about what this run did, with its references, and how to cite the program.

use serde_json::Value;

use super::{Run, data, groups, told_version};
use crate::infer::Method;
use crate::nouns::counted;
use crate::pipeline::choice::word;
use crate::pipeline::flow::Layout;
use crate::report::{Block, Copied, Section};
use crate::select::Strategy;
use crate::select::diverse::{DiverseSettings, Penalty};

const KONG: &str = "Kong L, Chen Y, Xu F, et al. Mining influential genes based on deep learning. BMC Bioinformatics 2021;22:27. \
                    doi:10.1186/s12859-021-03972-5";
const DEEPLIFT: &str = "Shrikumar A, Greenside P, Kundaje A. Learning important features through propagating activation differences. \
                        Proceedings of Machine Learning Research (ICML) 2017;70:3145–3153.";
const ADAM: &str = "Kingma DP, Ba J. Adam: a method for stochastic optimization. ICLR 2015. arXiv:1412.6980.";
const L1000: &str = "Subramanian A, Narayan R, Corsello SM, et al. A next generation connectivity map: L1000 platform and the first \
                     1,000,000 profiles. Cell 2017;171:1437–1452. doi:10.1016/j.cell.2017.10.049";
const DGEX: &str = "Chen Y, Li Y, Narayan R, Subramanian A, Xie X. Gene expression inference with deep learning. Bioinformatics \
                    2016;32:1832–1839. doi:10.1093/bioinformatics/btw074";
const RIDGE: &str = "Hoerl AE, Kennard RW. Ridge regression: biased estimation for nonorthogonal problems. Technometrics \
                     1970;12:55–67. doi:10.1080/00401706.1970.10488634";
const CSS: &str = "Farahat AK, Ghodsi A, Kamel MS. An efficient greedy method for unsupervised feature selection. IEEE ICDM \
                   2011:161–170. doi:10.1109/ICDM.2011.22";
const CONCRETE: &str = "Balın MF, Abid A, Zou J. Concrete autoencoders: differentiable feature selection and reconstruction. \
                        Proceedings of Machine Learning Research (ICML) 2019;97:444–453.";
const QDEIM: &str = "Drmač Z, Gugercin S. A new selection operator for the discrete empirical interpolation method. SIAM Journal on \
                     Scientific Computing 2016;38:A631–A648. doi:10.1137/15M1019271";
const NOGUEIRA: &str = "Nogueira S, Sechidis K, Brown G. On the stability of feature selection algorithms. Journal of Machine \
                        Learning Research 2018;18(174):1–54.";

/// References in the order in which they are first cited.
pub struct References {
    cited: Vec<String>,
}

impl References {
    /// The number of a reference, as it stands in the text.
    pub fn cite(&mut self, text: &str) -> String {
        let place = self.cited.iter().position(|known| known == text).unwrap_or_else(|| {
            self.cited.push(text.into());
            self.cited.len() - 1
        });
        format!("[{}]", place + 1)
    }
}

pub fn section(run: &Run) -> Option<Section> {
    let version = told_version(&run.done.record);
    let mut references = References { cited: Vec::new() };
    let own = format!(
        "The genelift developers. genelift: landmark genes from expression matrices, version {version}."
    );
    let sentences = [
        samples(run, &format!("genelift {version} {}", references.cite(&own))),
        network(run, &mut references),
        scores(run, &mut references),
        selection(run, &mut references),
        prediction(run, &mut references),
        comparison(run, &mut references),
        stability(run, &mut references),
        groups::methods(run, &mut references),
    ];
    let text = sentences.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return None;
    }
    let entry = format!(
        "@software{{genelift,\n  title   = {{genelift: landmark genes from expression matrices}},\n  author  = {{{{The genelift \
         developers}}}},\n  version = {{{version}}}\n}}"
    );
    let blocks = vec![
        Block::Copied(Copied { title: "Methods".into(), text, prose: true }),
        Block::List(references.cited),
        Block::Copied(Copied { title: "Citation (BibTeX)".into(), text: entry, prose: false }),
    ];
    Section::new("methods", "For a paper", blocks)
}

fn samples(run: &Run, program: &str) -> Option<String> {
    let (all, parts) = (run.summary.imported.as_ref()?, &run.summary.sizes.as_ref()?.samples);
    let steps = run.train.as_ref().and_then(data::steps);
    let steps = steps.map_or_else(String::new, |steps| format!(" Values were prepared by {steps}."));
    Some(format!(
        "Expression of {} in {} was analysed with {program}.{steps} Of the samples {} were used for training and {} held out ({}, seed {}); \
         nothing was fitted to the held-out samples.",
        counted(all.genes, "gene"),
        counted(all.samples, "sample"),
        parts.first()?,
        parts.last()?,
        data::drawn(run),
        run.config.seed
    ))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn network(run: &Run, references: &mut References) -> Option<String> {
    let trained = run.summary.trained.as_ref()?;
    let settings = run.setting("train", "train");
    let widths: Vec<String> = settings["hidden"].as_array()?.iter().map(text).collect();
    let [activation, output, loss, optimizer, scale] =
        ["activation", "output-activation", "loss", "optimizer", "scale"].map(|key| text(&settings[key]));
    let kong = references.cite(KONG);
    let loss = match loss.as_str() {
        "mae" => "the mean absolute error".into(),
        "mse" => "the mean squared error".into(),
        _ => format!("the loss {loss}"),
    };
    let optimizer = match optimizer.as_str() {
        "adam" => format!("Adam {}", references.cite(ADAM)),
        other => other.to_uppercase(),
    };
    let scale = match scale.as_str() {
        "zscore" => "each gene scaled to mean 0 and standard deviation 1 over the training samples".into(),
        "minmax" => "each gene scaled to 0–1 over the training samples".into(),
        "none" => "unscaled values".into(),
        other => format!("scaling {other}"),
    };
    let rate = &settings["learning-rate"];
    let [dropout, l2, batch] = ["dropout", "l2", "batch"].map(|key| &settings[key]);
    let mut said = format!(
        "An autoencoder {} with hidden layers of {} neurons ({activation}, output {output}) was trained for {} on {scale}, \
         minimising {loss} with {optimizer} (learning rate {rate}, batches of {batch}, dropout {dropout}, L2 penalty {l2}).",
        kong,
        widths.join(", "),
        counted(trained.epochs, "epoch"),
    );
    if let Some(e) = &run.summary.evaluated
        && let Some(ratio) = e.mae_ratio
    {
        said += &format!(
            " On the held-out samples its mean absolute error was {:.3}, {:.1} % of that of each gene's training median.",
            e.mae,
            100.0 * ratio
        );
    }
    Some(said)
}

fn scores(run: &Run, references: &mut References) -> Option<String> {
    let scores = run.summary.attributed.as_ref()?;
    let reference = match text(run.setting("attribute", "reference")).as_str() {
        "zeros" => "zeros".to_string(),
        "mean" | "median" => format!("the genes' {}s", text(run.setting("attribute", "reference"))),
        _ => "the mean of given samples".into(),
    };
    Some(format!(
        "Genes were scored by DeepLIFT {} for the {} of the bottleneck over {}, with {reference} as reference.",
        references.cite(DEEPLIFT),
        counted(scores.neurons, "neuron"),
        counted(scores.samples, "sample")
    ))
}

fn selection(run: &Run, references: &mut References) -> Option<String> {
    let selected = run.summary.selected.as_ref()?;
    let list = (Layout { config: run.config }).lists().swap_remove(0);
    let strategy = list.options.strategy();
    let how = match strategy {
        Strategy::Diverse => diverse(&list.options.diverse()),
        Strategy::Top => format!("as the genes of the highest scores {}", references.cite(KONG)),
        Strategy::Random => "at random".into(),
        Strategy::Variance => "as the genes of the highest variance".into(),
        Strategy::Pca => {
            format!("by QR with column pivoting of the principal components {}", references.cite(QDEIM))
        }
        Strategy::Css => format!("by greedy column subset selection {}", references.cite(CSS)),
        Strategy::Concrete => format!("by a concrete autoencoder {}", references.cite(CONCRETE)),
        Strategy::PeelOff => {
            format!(
                "as centroids of tight clusters that are taken out round by round {}",
                references.cite(L1000)
            )
        }
        Strategy::FacilityLocation => {
            "to maximise the sum over all genes of r² with the nearest landmark".into()
        }
        Strategy::KMedoids => "as medoids of clusters of genes at a distance of 1 − |r|".into(),
    };
    let until = selected.until.as_ref().map_or_else(String::new, |found| {
        format!(
            " Their number is the fewest that reach {} in samples held out of the training part.",
            found.goal
        )
    });
    Some(format!(
        "{} were chosen from the training samples {how} (strategy {}).{until}",
        counted(selected.genes, "landmark"),
        word(strategy)
    ))
}

/// How `diverse` chooses, in words.
fn diverse(settings: &DiverseSettings) -> String {
    let mut text = "greedily: each is the gene that explains most of the variance that those before it leave unexplained in all genes, by ".to_string();
    text += match (settings.ridge > 0.0, settings.penalty) {
        (false, _) => "least squares",
        (true, Penalty::Equal) => "ridge regression",
        (true, Penalty::Uniqueness) => {
            "ridge regression whose penalty for a gene is in proportion to its uniqueness in a factor analysis"
        }
    };
    if settings.ridge > 0.0 && settings.exchange > 0 {
        text += "; then each gave way to a gene that explains more in its place";
    }
    text
}

/// How a method infers, in words.
fn method(method: Method, references: &mut References) -> String {
    match method {
        Method::Linear => {
            format!("ridge regression {} with a penalty chosen by cross-validation", references.cite(RIDGE))
        }
        Method::Kernel => {
            "kernel ridge regression (linear and Gaussian) with width, mixture and penalty chosen by cross-validation".into()
        }
        Method::Knn => format!("the mean of the nearest landmarks {}", references.cite(DGEX)),
        Method::Mlp => format!("a D-GEX network {}", references.cite(DGEX)),
        Method::Best => "the best of several methods in samples held out".into(),
    }
}

fn prediction(run: &Run, references: &mut References) -> Option<String> {
    let fitted = run.summary.fitted.as_ref()?;
    let held_out = fitted.held_out.as_ref().map_or_else(String::new, |held_out| {
        format!(
            " In {} of the training samples the inferred values had a median R² of {:.3}.",
            counted(held_out.how.folds, "fold"),
            held_out.r2[1]
        )
    });
    let factor = fitted.chosen["adapted-factor"].as_f64().filter(|factor| *factor > 1.0);
    let offsets = fitted.chosen["group-variance"].as_f64();
    let adapted = [
        factor.map(|factor| format!("the penalty was multiplied by {factor:.3}")),
        offsets.map(|ratio| {
            format!(
                "what the samples of a group share was taken as noise, of {ratio} times their own variance"
            )
        }),
    ];
    let adapted: Vec<String> = adapted.into_iter().flatten().collect();
    let adapted = match adapted.is_empty() {
        true => String::new(),
        false => {
            format!(" As the landmarks of the samples to be inferred asked for, {}.", adapted.join(", and "))
        }
    };
    Some(format!(
        "The other {} were inferred from the landmarks by {}.{adapted}{held_out}",
        counted(fitted.targets, "gene"),
        method(fitted.method, references)
    ))
}

fn comparison(run: &Run, references: &mut References) -> Option<String> {
    let test = run.summary.of_own_size()?.tests.first()?;
    let compare = run.config.compare.as_ref()?;
    let draws = test.sets.iter().find_map(|set| set.rank).map(|(_, draws)| draws);
    let mut rivals: Vec<String> = draws.map(|draws| counted(draws, "random draw")).into_iter().collect();
    if test.sets.iter().any(|set| set.name.starts_with("l1000")) {
        rivals.push(format!("the L1000 landmarks {}", references.cite(L1000)));
    }
    let by = method(compare.fit.method.unwrap_or_default(), references);
    let by = if compare.adapt { format!("{by}, adapted to the landmarks of the test samples") } else { by };
    let resamples = compare.resamples.unwrap_or(super::stages::compare::RESAMPLES);
    let intervals = match test.pairs.first().map(|pair| (pair.over.as_str(), pair.interval)) {
        None => String::new(),
        Some((over, None)) => format!(", without intervals, which {over} do not give"),
        Some((over, _)) if over.contains("sample") => {
            format!(", with bootstrap intervals of 95 % over {over} ({resamples} resamples)")
        }
        Some((over, _)) => format!(", with intervals of 95 % by Student's t over {over}"),
    };
    let beside = if rivals.is_empty() {
        String::new()
    } else {
        format!(" beside {} of the same size", rivals.join(" and "))
    };
    Some(format!(
        "Lists were compared{beside} by how well {by}, fitted to the training samples, infers {} that are in none of them in {}: \
         mean squared error over the gene's training variance{intervals}. \
         A gene's inferred values pass the permutation test {} where fewer than 1 % of the other genes correlate better with them.",
        counted(test.targets, "gene"),
        counted(test.samples, "held-out sample"),
        references.cite(KONG)
    ))
}

fn stability(run: &Run, references: &mut References) -> Option<String> {
    let repeated = run.summary.repeated.as_ref()?;
    let found = repeated.nogueira.map_or_else(String::new, |found| {
        format!(": {:.3} ({:.3} to {:.3})", found.stability, found.interval.0, found.interval.1)
    });
    Some(format!(
        "The selection was repeated {} times over {}; its stability is the measure of Nogueira et al. {}{found}.",
        repeated.repeats,
        match repeated.over().as_str() {
            "bootstrap" => "bootstrap samples".to_string(),
            other => other.to_string(),
        },
        references.cite(NOGUEIRA)
    ))
}
