//! A store of values that are in memory and in no file: for programs that have their matrix at hand.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::info::{self, Checksums, Origin, StoreInfo, VERSION};
use super::{Store, Values};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::genes::Table;

/// Bytes under one checksum.
const BLOCK: usize = 4 << 20;

impl Store {
    /// A store of `values`, samples × genes in row-major order: a `Vec<f32>`, or memory of somebody else's, which is not copied and
    /// must stay as it is as long as the store lives. Nothing is written; messages call it `name`.
    ///
    /// # Errors
    /// [`Error::Data`] for a number of values that is not samples × genes, for none, for an id twice, and for a value that is no
    /// finite number.
    pub fn in_memory(
        name: &str,
        values: impl AsRef<[f32]> + Send + Sync + 'static,
        samples: Table,
        genes: Table,
    ) -> Result<Store> {
        let held: Box<dyn AsRef<[f32]> + Send + Sync> = Box::new(values);
        let values = (*held).as_ref();
        let refuse = |message: String| Err(Error::Data(format!("{name}: {message}")));
        let (n, g) = (samples.len(), genes.len());
        if n == 0 || g == 0 || n.checked_mul(g) != Some(values.len()) {
            return refuse(format!("{} values are not {n} samples × {g} genes", values.len()));
        }
        for (table, what) in [(&samples, "sample"), (&genes, "gene")] {
            if let Some((id, first, second)) = table.duplicate() {
                return refuse(format!(
                    "{what} id {id:?} occurs twice ({what}s {} and {})",
                    first + 1,
                    second + 1
                ));
            }
        }
        if let Some(at) = values.par_iter().position_first(|x| !x.is_finite()) {
            let (sample, gene) = (&samples.ids[at / g], &genes.ids[at % g]);
            return refuse(format!(
                "{} of gene {gene:?} in sample {sample:?} is not a finite number",
                values[at]
            ));
        }
        let info = described(values, &samples, &genes);
        let element = Element::F32;
        Ok(Store {
            path: Path::new(name).into(),
            info,
            element,
            samples,
            genes,
            values: Arc::new(Values::Held(held)),
        })
    }

    /// The store, with the word that the names of its genes are made up: they say nothing of what a gene is.
    #[must_use]
    pub fn with_made_up_genes(mut self) -> Store {
        self.info.origin.made_up_genes = true;
        self
    }

    /// Some of the samples, in this order, in memory.
    ///
    /// # Errors
    /// As [`Store::in_memory`].
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn picked(&self, name: &str, samples: &[usize]) -> Result<Store> {
        let mut values = vec![0.0; samples.len() * self.n_genes()];
        let rows = values.chunks_exact_mut(self.n_genes()).zip(samples);
        rows.for_each(|(row, sample)| self.read_row(*sample, row));
        Store::in_memory(name, values, self.samples.select(samples), self.genes.clone())
    }
}

/// The description that a file of these would have.
fn described(values: &[f32], samples: &Table, genes: &Table) -> StoreInfo {
    let sum = |table: &Table| {
        let mut text = Vec::new();
        table.write(&mut text).expect("memory takes what is written to it");
        info::xxh3_hex(&text)
    };
    let bytes: &[u8] = bytemuck::cast_slice(values);
    StoreInfo {
        format: "genelift store".into(),
        version: VERSION,
        shape: [samples.len(), genes.len()],
        dtype: "<f4".into(),
        pairs: None,
        origin: Origin::default(),
        checksums: Checksums {
            genes: sum(genes),
            samples: sum(samples),
            block_bytes: BLOCK as u64,
            blocks: bytes.par_chunks(BLOCK).map(info::xxh3_hex).collect(),
            parameters: None,
            indices: Vec::new(),
            indptr: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_mistakes_are_named() {
        let store = |values: Vec<f32>, ids: [&str; 2]| {
            let samples = Table::new("sample_id", ids.map(String::from).to_vec());
            Store::in_memory("mine", values, samples, Table::numbered("gene_id", "g", 3))
        };
        let all = store(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], ["a", "b"]).unwrap();
        let one = all.picked("one", &[1]).unwrap();
        let (mut row, mut columns) = ([0.0; 3], Vec::new());
        one.read_row(0, &mut row);
        all.read_columns(1, 3, &mut columns);
        assert_eq!((row, one.samples().ids[0].as_str()), ([4.0, 5.0, 6.0], "b"));
        assert_eq!(columns, [2.0, 5.0, 3.0, 6.0]);
        assert_ne!(all.info().fingerprint(), one.info().fingerprint());
        let message = |values: Vec<f32>, ids| store(values, ids).map(|_| ()).unwrap_err().to_string();
        assert!(message(vec![1.0; 5], ["a", "b"]).contains("5 values are not 2 samples × 3 genes"));
        assert!(message(vec![1.0; 6], ["a", "a"]).contains("sample id \"a\" occurs twice"));
        let nan = vec![1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0];
        assert!(message(nan, ["a", "b"]).contains("NaN of gene \"g_2\" in sample \"b\""));
    }
}
