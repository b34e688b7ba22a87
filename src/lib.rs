//! `genelift` finds the genes that say most about all the others.
//!
//! It trains a sigmoid autoencoder on an expression matrix (samples × genes), asks DeepLIFT how much every gene
//! moves every bottleneck neuron, ranks the genes and picks N landmarks. All heavy arithmetic is hand-written: WGSL
//! kernels on any Vulkan, Metal or DX12 GPU, and their twins on native CPU threads.
//!
//! One folder is one stage of the flow. Imports run one way (who may name whom is a table of a test in `pipeline/mod.rs`), but for genes,
//! stores and formats, which know each other:
//!
//! ```text
//! matrix file → formats → store → prepare ─┐
//!                           │              ▼
//!                           └──→ nn::feed (batches) → device (the recorded step; gpu, cpu run it)
//!                                                        ▲
//!              nn (model, training, use) ────────────────┤
//!              attribution (DeepLIFT) → scores ──────────┘ → select → landmarks
//!              infer (targets from landmarks) → evaluate (agreement with measured values) → compare (sets of landmarks)
//!
//! pipeline (all of these as declared stages; a run of them in a folder) → cli
//! ```
//!
//! A program that has its matrix in memory goes through all of it without a file: `examples/library.rs`. One that reads a file, to
//! landmarks:
//!
//! ```standalone_crate
//! use genelift::attribution::{AttributeSettings, ScoreTable, attribute};
//! use genelift::nn::settings::TrainSettings;
//! use genelift::nn::train::{Training, train};
//! use genelift::{device, formats, progress::silent, select};
//!
//! # fn main() -> genelift::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let out = dir.path().join("matrix.gex");
//! let store = formats::import(&["examples/brca/expression.csv.gz".into()], &out, &Default::default(), &silent)?;
//! let mut device = device::open("cpu", None, &silent)?;
//! let settings = TrainSettings { hidden: vec![8, 2, 8], epochs: 1, ..TrainSettings::standard() };
//! let model = train(&mut *device, &Training::of(&store, settings), &silent)?.model;
//! device.reset();
//! let result = attribute(&mut *device, &model, &store, &AttributeSettings::standard(), false, &silent)?;
//! let landmarks = select::top(&ScoreTable::rank(store.genes(), &result.scores), 100, &[], &[])?;
//! assert_eq!(landmarks.genes.len(), 100);
//! # Ok(())
//! # }
//! ```

pub mod attribution;
pub mod bench;
pub mod cli;
pub mod cluster;
pub mod compare;
pub mod device;
pub mod element;
pub mod enrich;
pub mod error;
pub mod evaluate;
pub mod explain;
#[cfg(feature = "figures")]
pub mod figures;
pub mod formats;
pub mod genes;
pub mod infer;
pub mod interrupt;
pub mod memory;
pub mod nn;
pub mod nouns;
pub mod pipeline;
pub mod prepare;
pub mod progress;
pub mod ranks;
pub mod report;
pub mod select;
pub mod simulate;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod visible;

pub use error::{Error, Result};
