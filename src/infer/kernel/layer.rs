//! Kernels as the first layer of a predictor, recorded for either executor.

use serde::{Deserialize, Serialize};

use crate::device::Executor;
use crate::device::recording::{Element, Epilogue, Layout, Matrix, Mixture, Recording};
use crate::error::Result;
use crate::nn::network::vector;
use crate::store::Store;

/// (1 − m)·x·c/L + m·exp(−γ‖x − c‖²) of z-scored landmarks x for each of some centres c.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernels {
    /// L, the number of landmarks.
    pub inputs: usize,
    /// Centres × L, z-scored.
    pub centres: Vec<f32>,
    /// γ
    pub gamma: f64,
    /// m
    pub mixture: f64,
}

/// γ and m as they are in a file.
#[derive(Serialize, Deserialize)]
pub(in crate::infer) struct Form {
    pub gamma: f64,
    pub mixture: f64,
}

impl Kernels {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.centres.len() / self.inputs.max(1)
    }

    /// True without centres.
    pub fn is_empty(&self) -> bool {
        self.centres.is_empty()
    }

    /// −γ‖x‖² of rows of L values.
    pub(super) fn lengths(&self, rows: &[f32]) -> Vec<f32> {
        let square = |row: &[f32]| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        rows.chunks_exact(self.inputs).map(|row| (-self.gamma * square(row)) as f32).collect()
    }
}

/// The landmarks of samples as they come to the device.
pub(in crate::infer) struct Landmarks<'a> {
    pub store: &'a Store,
    /// Positions among the store's genes.
    pub columns: &'a [usize],
    pub offset: &'a [f32],
    /// 0 for a landmark that does not count.
    pub scale: &'a [f32],
}

impl Landmarks<'_> {
    /// Samples × landmarks, z-scored.
    pub fn read(&self, samples: impl Iterator<Item = usize>) -> Vec<f32> {
        let mut rows = Vec::new();
        let mut raw = vec![0.0; self.columns.len()];
        for sample in samples {
            self.store.read_genes(sample, self.columns, &mut raw);
            let scaled = raw.iter().zip(self.offset).zip(self.scale).map(|((x, o), s)| (x - o) * s);
            rows.extend(scaled);
        }
        rows
    }
}

/// Kernels of the samples of a batch.
pub(in crate::infer) struct OnDevice<'a> {
    kernels: &'a Kernels,
    centres: Matrix,
    others: Matrix,
    /// 1 × batch
    lengths: Matrix,
    /// Batch × centres: what is made.
    pub out: Matrix,
}

impl<'a> OnDevice<'a> {
    /// Uploads the centres.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn new(executor: &mut dyn Executor, kernels: &'a Kernels, batch: usize) -> Result<Self> {
        let n = kernels.len();
        let centres = executor.matrix("kernel centres", n, kernels.inputs, Element::F32)?;
        executor.write(centres, 0, &kernels.centres)?;
        let others = vector(executor, "kernel lengths", n, &kernels.lengths(&kernels.centres))?;
        let lengths = executor.matrix("sample lengths", 1, batch, Element::F32)?;
        let out = executor.matrix("kernels", batch, n, Element::F32)?;
        Ok(OnDevice { kernels, centres, others, lengths, out })
    }

    /// Records the kernels of x, batch × landmarks.
    pub fn record(&self, recording: &mut Recording, x: Matrix) {
        let Kernels { inputs, gamma, mixture, .. } = *self.kernels;
        let linear = ((1.0 - mixture) / inputs as f64) as f32;
        let mixture = Mixture { linear, radial: mixture as f32, slope: (2.0 * gamma) as f32 };
        let (lengths, others, out) = (self.lengths, self.others, self.out);
        let epilogue = Epilogue::Kernel { mixture, lengths, others, out };
        recording.product("kernels", Layout::Nt, x, self.centres, Element::F32, epilogue);
    }

    /// Before each run: what the kernels need of these samples beside their values.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn prepare(
        &self,
        executor: &mut dyn Executor,
        landmarks: &Landmarks,
        samples: impl Iterator<Item = usize>,
    ) -> Result<()> {
        let mut lengths = self.kernels.lengths(&landmarks.read(samples));
        lengths.resize(self.lengths.cols, 0.0);
        executor.write(self.lengths, 0, &lengths)
    }
}
