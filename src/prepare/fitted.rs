//! What a step does to a row once it is fitted, and the file `prepare.json` of a store, which holds it for new data.

use serde::{Deserialize, Serialize};

use super::quantile::{self, Rule};
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::store::Store;

/// A fitted step: a map from a sample's values to a sample's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Fitted {
    /// The genes at these places (from 0), in this order.
    Pick {
        /// Places among the genes that go in.
        genes: Vec<usize>,
    },
    /// Means of genes.
    Average {
        /// Of each new gene the places of the old ones.
        genes: Vec<Vec<usize>>,
        /// What each of them counts; all the same where there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        weights: Vec<Vec<f64>>,
    },
    /// x / (sum of the sample / target); a sample of sum 0 stays.
    LibrarySize {
        /// What every sample adds up to afterwards.
        target: f64,
    },
    /// ln(1 + x)
    Log1p,
    /// log2(1 + x)
    Log2p1,
    /// A value takes the profile's at its rank.
    Quantiles {
        /// Which of the profile's.
        rule: Rule,
        /// Ascending.
        profile: Vec<f64>,
    },
    /// The straight line that takes `from` to `to`, one for all genes.
    Range {
        /// Smallest and largest value at the fit.
        from: [f64; 2],
        /// What they become.
        to: [f64; 2],
    },
    /// (x − offset)/divisor by gene; 0 where the divisor is 0.
    Scale {
        /// By gene.
        offset: Vec<f64>,
        /// By gene.
        divisor: Vec<f64>,
    },
    /// No change of a row: samples were left out.
    Dedup {
        /// Their ids.
        dropped: Vec<String>,
    },
}

impl Fitted {
    /// Whether zeros become other values, as far as can be told: then nothing is gained by holding only what is not zero.
    pub fn fills_zeros(&self) -> bool {
        match self {
            Fitted::Quantiles { .. } | Fitted::Range { .. } => true,
            Fitted::Scale { offset, .. } => offset.iter().any(|offset| *offset != 0.0),
            Fitted::Pick { .. }
            | Fitted::Average { .. }
            | Fitted::LibrarySize { .. }
            | Fitted::Log1p
            | Fitted::Log2p1
            | Fitted::Dedup { .. } => false,
        }
    }
}

/// A value that a step cannot be applied to.
pub(super) struct Refused {
    /// Place of its gene among those that went in.
    pub gene: usize,
    /// The value.
    pub value: f32,
    /// What is wrong with it and what to do.
    pub why: &'static str,
}

/// Nothing, or what is wrong with a sample's values.
pub(super) type Mapped = std::result::Result<(), Refused>;

impl Fitted {
    /// Changes one sample's values, which are as many as the step was fitted to.
    pub fn apply(&self, row: &mut Vec<f32>) -> Mapped {
        match self {
            Fitted::Pick { genes } => *row = genes.iter().map(|place| row[*place]).collect(),
            Fitted::Average { genes, weights } => {
                let mean = |(gene, places): (usize, &Vec<usize>)| {
                    let weight = |at: usize| weights.get(gene).map_or(1.0, |weights| weights[at]);
                    let weighed = |(at, place): (usize, &usize)| weight(at) * f64::from(row[*place]);
                    let sum: f64 = places.iter().enumerate().map(weighed).sum();
                    (sum / (0..places.len()).map(weight).sum::<f64>()) as f32
                };
                *row = genes.iter().enumerate().map(mean).collect();
            }
            Fitted::LibrarySize { target } => {
                no_negative(row)?;
                let sum: f64 = row.iter().map(|x| f64::from(*x)).sum();
                if sum > 0.0 {
                    let divisor = sum / target;
                    row.iter_mut().for_each(|x| *x = (f64::from(*x) / divisor) as f32);
                }
            }
            Fitted::Log1p => {
                no_negative(row)?;
                row.iter_mut().for_each(|x| *x = f64::from(*x).ln_1p() as f32);
            }
            Fitted::Log2p1 => {
                no_negative(row)?;
                row.iter_mut().for_each(|x| *x = (f64::from(*x).ln_1p() / std::f64::consts::LN_2) as f32);
            }
            Fitted::Quantiles { rule, profile } => quantile::replace(row, *rule, profile),
            Fitted::Range { from, to } => {
                let slope = (to[1] - to[0]) / (from[1] - from[0]);
                row.iter_mut().for_each(|x| *x = (to[0] + (f64::from(*x) - from[0]) * slope) as f32);
            }
            Fitted::Scale { offset, divisor } => {
                for ((x, offset), divisor) in row.iter_mut().zip(offset).zip(divisor) {
                    *x = if *divisor > 0.0 { ((f64::from(*x) - offset) / divisor) as f32 } else { 0.0 };
                }
            }
            Fitted::Dedup { .. } => {}
        }
        Ok(())
    }

    /// The ids of the genes that it makes of genes of these ids; a mean is called by its first gene.
    pub fn names(&self, ids: &[String]) -> Vec<String> {
        match self {
            Fitted::Pick { genes } => genes.iter().map(|place| ids[*place].clone()).collect(),
            Fitted::Average { genes, .. } => genes.iter().map(|places| ids[places[0]].clone()).collect(),
            _ => ids.to_vec(),
        }
    }

    /// The number of genes that it makes of `width`, if it can be applied to so many.
    fn width(&self, width: usize) -> Option<usize> {
        match self {
            Fitted::Pick { genes } => genes.iter().all(|place| *place < width).then_some(genes.len()),
            Fitted::Average { genes, weights } => {
                let inside = |places: &Vec<usize>| !places.is_empty() && places.iter().all(|p| *p < width);
                let positive = |weights: &Vec<f64>| weights.iter().all(|weight| *weight > 0.0);
                let weighed = weights.len() == genes.len()
                    && weights.iter().zip(genes).all(|(w, genes)| w.len() == genes.len() && positive(w));
                let fits = genes.iter().all(inside) && (weights.is_empty() || weighed);
                fits.then_some(genes.len())
            }
            Fitted::Quantiles { rule: Rule::Dense, profile } => (!profile.is_empty()).then_some(width),
            Fitted::Quantiles { profile, .. } => (profile.len() == width).then_some(width),
            Fitted::Scale { offset, divisor } => {
                (offset.len() == width && divisor.len() == width).then_some(width)
            }
            _ => Some(width),
        }
    }
}

fn no_negative(row: &[f32]) -> Mapped {
    match row.iter().position(|x| *x < 0.0) {
        None => Ok(()),
        Some(gene) => Err(Refused {
            gene,
            value: row[gene],
            why: "is negative, so these are no counts or intensities; leave out --library-size, --log1p and \
                  --log2p1 where the values are logarithms already",
        }),
    }
}

/// The contents of `prepare.json`: the steps of one call of `prepare`, with everything that they learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    /// Always [`FORMAT`].
    format: String,
    /// Always [`VERSION`].
    version: u32,
    /// Ids of the genes that the first step takes, in its order.
    pub genes: Vec<String>,
    /// In the order in which they are taken.
    pub steps: Vec<Fitted>,
}

const FORMAT: &str = "genelift parameters";
const VERSION: u32 = 1;

impl Parameters {
    /// Of steps that take these genes.
    pub fn new(genes: Vec<String>, steps: Vec<Fitted>) -> Parameters {
        Parameters { format: FORMAT.into(), version: VERSION, genes, steps }
    }

    /// What the store keeps of its preparation.
    ///
    /// # Errors
    /// [`Error::Input`] for a store that was not written by `prepare`, or whose file does not fit it.
    pub fn of(store: &Store) -> Result<Parameters> {
        let Some(json) = store.parameters()? else {
            return Err(Error::input(
                store.path(),
                "holds no fitted steps: it was not written by `genelift prepare`",
            ));
        };
        let damaged = |what: String| {
            Error::input(
                store.path(),
                format!("prepare.json: {what}; the store is damaged, prepare it again"),
            )
        };
        let parameters: Parameters = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
        if (parameters.format.as_str(), parameters.version) != (FORMAT, VERSION) {
            return Err(damaged(format!("is not {FORMAT:?} of version {VERSION}")));
        }
        // a gene that stood twice would be taken twice from data that have it once
        if let Some((id, ..)) = Table::new("gene_id", parameters.genes.clone()).duplicate() {
            return Err(damaged(format!("gene {id:?} occurs twice")));
        }
        let width = parameters.genes.len();
        let width = parameters.steps.iter().try_fold(width, |width, step| step.width(width));
        match width {
            Some(width) if width == store.n_genes() => Ok(parameters),
            _ => Err(damaged(format!("its steps do not lead to {} genes", store.n_genes()))),
        }
    }

    /// The file's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data become JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Element;
    use crate::store::{Origin, StoreWriter};

    /// What is said of a store of two genes with this `prepare.json`.
    fn said(json: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = StoreWriter::create(&dir.path().join("x.gex"), 2, Element::F32, true).unwrap();
        writer.push_rows(&[1.0, 2.0]).unwrap();
        writer.keep_parameters(json.as_bytes().to_vec());
        let (genes, samples) = (Table::numbered("gene_id", "g", 2), Table::numbered("sample_id", "s", 1));
        let store = writer.finish(genes, samples, Origin::default()).unwrap();
        Parameters::of(&store).map_or_else(|error| error.to_string(), |_| "whole".into())
    }

    #[test]
    fn steps_that_do_not_fit_are_refused() {
        let of = |genes: &str, steps: &str| {
            said(&format!(
                r#"{{"format":"genelift parameters","version":1,"genes":[{genes}],"steps":[{steps}]}}"#
            ))
        };
        assert_eq!(of(r#""g_1","g_2""#, r#"{"step":"log1p"}"#), "whole");
        assert_eq!(of(r#""a","b","c""#, r#"{"step":"pick","genes":[2,0]}"#), "whole");
        // found by fuzzing: more genes than the data have
        let twice = of(r#""g_1","g_2","g_2""#, r#"{"step":"pick","genes":[2,0]}"#);
        assert!(twice.contains("prepare.json: gene \"g_2\" occurs twice"), "{twice}");
        for steps in [
            r#"{"step":"pick","genes":[2,0]}"#,
            r#"{"step":"pick","genes":[0]}"#,
            r#"{"step":"average","genes":[[0],[]]}"#,
            r#"{"step":"average","genes":[[0],[1]],"weights":[[1.0]]}"#,
            r#"{"step":"average","genes":[[0],[1]],"weights":[[1.0],[0.0]]}"#,
            r#"{"step":"quantiles","rule":"mean","profile":[1.0]}"#,
            r#"{"step":"quantiles","rule":"dense","profile":[]}"#,
            r#"{"step":"scale","offset":[1.0,2.0],"divisor":[1.0]}"#,
        ] {
            let message = of(r#""g_1","g_2""#, steps);
            assert!(message.contains("its steps do not lead to 2 genes"), "{steps}: {message}");
        }
    }
}
