//! Values most of which are zero, as rows of pairs of a gene and a value (CSR): three arrays of NumPy's, which SciPy takes as they are.
//!
//! | file | type | |
//! | --- | --- | --- |
//! | `indptr.npy` | `<i8` | samples + 1: where each sample's pairs begin; the last is their number |
//! | `indices.npy` | `<i4` | genes, ascending within a sample |
//! | `data.npy` | `<f4` or `<f2` | values |

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use half::f16;
use rayon::prelude::*;

use super::damaged;
use super::mapped::Mapped;
use crate::element::Element;
use crate::error::Result;

/// Names of the files.
pub const STARTS: &str = "indptr.npy";
pub const PLACES: &str = "indices.npy";
pub const DATA: &str = "data.npy";

/// NumPy's names of the types of where samples begin and of genes.
pub const STARTS_TYPE: &str = "<i8";
pub const PLACES_TYPE: &str = "<i4";

/// Genes that are looked for one by one; more are taken from a whole row.
const FEW: usize = 48;

/// A store's pairs, mapped.
pub struct Rows {
    starts: Mapped,
    places: Mapped,
    data: Mapped,
    element: Element,
    genes: usize,
}

impl Rows {
    /// Maps the files of the store at `path` and checks that every sample has a place in them.
    ///
    /// # Errors
    /// [`crate::Error::Input`] naming the file that is missing or damaged.
    pub fn open(path: &Path, [samples, genes]: [usize; 2], element: Element, pairs: usize) -> Result<Rows> {
        let descr = super::info::descr(element).expect("a store's");
        let starts = Mapped::open(path, STARTS, STARTS_TYPE, &[samples + 1])?;
        let places = Mapped::open(path, PLACES, PLACES_TYPE, &[pairs])?;
        let data = Mapped::open(path, DATA, descr, &[pairs])?;
        let rows = Rows { starts, places, data, element, genes };
        let all = rows.starts();
        if all[0] != 0 || all[samples] != pairs as i64 || all.windows(2).any(|two| two[0] > two[1]) {
            return Err(damaged(
                path,
                STARTS,
                format!("does not divide {pairs} values among {samples} samples"),
            ));
        }
        Ok(rows)
    }

    /// Checks that genes ascend within each sample and are there.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a store that another program wrote, or damaged.
    pub fn check(&self, path: &Path) -> Result<()> {
        let wrong = (0..self.samples()).into_par_iter().find_any(|sample| {
            let places = &self.places()[self.range(*sample)];
            let ascend = places.windows(2).all(|two| two[0] < two[1]);
            !ascend
                || places.first().is_some_and(|first| *first < 0)
                || places.last().is_some_and(|last| *last as usize >= self.genes)
        });
        match wrong {
            Some(sample) => Err(damaged(
                path,
                PLACES,
                format!("the genes of sample {} do not ascend from 0 to {}", sample + 1, self.genes - 1),
            )),
            None => Ok(()),
        }
    }

    /// The files' contents behind their headers, as they are summed up.
    pub fn bytes(&self) -> [(&'static str, &[u8]); 3] {
        [(DATA, self.data.bytes()), (PLACES, self.places.bytes()), (STARTS, self.starts.bytes())]
    }

    fn starts(&self) -> &[i64] {
        bytemuck::cast_slice(self.starts.bytes())
    }

    fn places(&self) -> &[i32] {
        bytemuck::cast_slice(self.places.bytes())
    }

    fn samples(&self) -> usize {
        self.starts().len() - 1
    }

    /// Where a sample's pairs are; those who opened the files saw that they are there.
    fn range(&self, sample: usize) -> Range<usize> {
        self.starts()[sample] as usize..self.starts()[sample + 1] as usize
    }

    /// How many pairs a sample has.
    pub fn n_pairs(&self, sample: usize) -> usize {
        self.range(sample).len()
    }

    /// Whether two samples have the same values.
    pub fn are_alike(&self, one: usize, other: usize) -> bool {
        let of = |sample: usize| {
            let (range, size) = (self.range(sample), self.element.bytes());
            (&self.places()[range.clone()], &self.data.bytes()[range.start * size..range.end * size])
        };
        of(one) == of(other)
    }

    /// Gives each pair of a sample whose gene lies in `genes` to `take`, as f32.
    pub fn each(&self, sample: usize, genes: Range<usize>, mut take: impl FnMut(usize, f32)) {
        let range = self.range(sample);
        let places = &self.places()[range.clone()];
        let before = |gene: usize| places.partition_point(|place| (*place as usize) < gene);
        let from = if genes.start == 0 { 0 } else { before(genes.start) };
        let to = if genes.end >= self.genes { places.len() } else { before(genes.end).max(from) };
        let (places, at) = (&places[from..to], range.start + from..range.start + to);
        match self.element {
            Element::F16 => {
                let values: &[f16] = &bytemuck::cast_slice(self.data.bytes())[at];
                places.iter().zip(values).for_each(|(place, value)| take(*place as usize, value.to_f32()));
            }
            _ => {
                let values: &[f32] = &bytemuck::cast_slice(self.data.bytes())[at];
                places.iter().zip(values).for_each(|(place, value)| take(*place as usize, *value));
            }
        }
    }

    /// Genes `first..first + out.len()` of one sample.
    pub fn read(&self, sample: usize, first: usize, out: &mut [f32]) {
        out.fill(0.0);
        self.each(sample, first..first + out.len(), |gene, value| {
            // a gene that there is not, in a file that nobody checked, is left out
            if let Some(out) = out.get_mut(gene.wrapping_sub(first)) {
                *out = value;
            }
        });
    }

    /// Chosen genes of one sample.
    pub fn pick(&self, sample: usize, genes: &[usize], out: &mut [f32]) {
        thread_local! {
            static ROW: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
        }
        if genes.len() <= FEW {
            for (gene, out) in genes.iter().zip(out) {
                assert!(*gene < self.genes, "gene {gene} of {}", self.genes);
                *out = 0.0;
                self.each(sample, *gene..*gene + 1, |_, value| *out = value);
            }
            return;
        }
        ROW.with_borrow_mut(|row| {
            row.resize(self.genes, 0.0);
            self.read(sample, 0, row);
            genes.iter().zip(out).for_each(|(gene, out)| *out = row[*gene]);
        });
    }

    /// A sample's values as they would lie in a dense file.
    pub fn dense<'a>(&self, sample: usize, room: &'a mut Vec<f32>) -> &'a [u8] {
        let bytes = self.genes * self.element.bytes();
        room.clear();
        room.resize(bytes.div_ceil(4), 0.0);
        match self.element {
            Element::F16 => {
                let row: &mut [f16] = bytemuck::cast_slice_mut(room);
                // to f32 and back is the same half
                self.each(sample, 0..self.genes, |gene, value| {
                    if let Some(out) = row.get_mut(gene) {
                        *out = f16::from_f32(value);
                    }
                });
            }
            _ => self.read(sample, 0, room),
        }
        &bytemuck::cast_slice(room)[..bytes]
    }
}

/// Bytes of the values of so many samples and pairs.
pub fn size(samples: usize, pairs: usize, element: Element) -> u64 {
    (8 * (samples + 1) + pairs * (4 + element.bytes())) as u64
}
