//! How much arithmetic a stage is, and how many bytes it has to move between memory and the units that compute. A multiply
//! and an add are two operations. Bytes are what no cache can save: each operand that does not fit one is read once a use,
//! each result written once; epilogues count as done where the product was made.

use serde::Serialize;

/// Of one round of a stage, or of a part of it that nothing else overlaps.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Work {
    /// Floating-point operations.
    pub flop: f64,
    /// Bytes read and written.
    pub bytes: f64,
    /// The arithmetic is in f64, of which a vector holds half as many.
    pub double: bool,
}

impl Work {
    /// As often.
    pub fn times(self, n: f64) -> Work {
        Work { flop: n * self.flop, bytes: n * self.bytes, ..self }
    }

    /// Seconds below which it cannot be done, where this many operations and bytes a second are the most.
    pub fn floor(&self, operations: f64, bytes: f64) -> f64 {
        let operations = if self.double { operations / 2.0 } else { operations };
        (self.flop / operations).max(self.bytes / bytes)
    }
}

/// Bytes of an f32.
const F32: f64 = 4.0;

/// Weights of a network of these widths, inputs first.
fn weights(widths: &[usize]) -> Vec<f64> {
    widths.windows(2).map(|w| w[0] as f64 * w[1] as f64).collect()
}

/// Training for `samples` samples in steps of `batch`: forward, weight gradients, and the way back to every layer but the
/// first, 2 operations a weight and sample each. Bytes a step: weights read forward and, but for the first layer's,
/// backward; `state` f32 read and `state` f32 written a weight for the update (w, m, v of Adam: 3; w, u of SGD: 2); at the
/// ends of the network, whose width is the genes', the batch is gathered (read, written), read forward, as the loss's target
/// and for the first weights' gradient, and the last gradient is written and read twice.
pub fn training(widths: &[usize], samples: usize, batch: usize, state: f64) -> Work {
    let weights = weights(widths);
    let (all, upper) = (weights.iter().sum::<f64>(), weights[1..].iter().sum::<f64>());
    let (n, steps) = (samples as f64, samples.div_ceil(batch) as f64);
    let (first, last) = (widths[0] as f64, widths[widths.len() - 1] as f64);
    Work {
        flop: 2.0 * n * (2.0 * all + upper),
        bytes: F32 * (steps * (all + upper + 2.0 * state * all) + n * (4.0 * first + 4.0 * last)),
        double: false,
    }
}

/// DeepLIFT of every neuron of an encoder's last layer for `samples` samples: the forward pass, and for each neuron the chain
/// of multipliers back through every layer; 2·K·H·G of it in the first layer. Bytes: the sample is gathered, read forward,
/// subtracted (read, written) and read by the epilogue; weights are read once a batch of `batch` samples and pass.
pub fn deeplift(encoder: &[usize], samples: usize, batch: usize) -> Work {
    let weights = weights(encoder);
    let neurons = encoder[encoder.len() - 1] as f64;
    let (n, batches) = (samples as f64, samples.div_ceil(batch) as f64);
    let (forward, chain) = (weights.iter().sum::<f64>(), weights[..weights.len() - 1].iter().sum::<f64>());
    Work {
        flop: 2.0 * n * (forward + neurons * chain),
        bytes: F32 * (n * encoder[0] as f64 * 6.0 + batches * 2.0 * forward),
        double: false,
    }
}

/// The greedy selection of `k` of `genes` genes on `samples` samples: one pass over the data a gene (two products with a vector,
/// 4·n·G); and, between passes, each time λ is set (at 0, 10, 20, 40, …) two quadratic forms of every gene with symmetric
/// matrices, 2·n²·G, and before all T·Tᵀ of the data, n²·G. On the CPU, in f64 sums of f32 data.
pub fn greedy(samples: usize, genes: usize, k: usize) -> [Work; 2] {
    let (n, g) = (samples as f64, genes as f64);
    let refreshes = 1.0 + (0..).map(|i| 10usize << i).take_while(|at| *at < k).count() as f64;
    let pass = Work { flop: 4.0 * n * g, bytes: F32 * n * g, double: true };
    let form = Work { flop: n * n * g, ..pass };
    [pass.times(k as f64), form.times(2.0 * refreshes + 1.0)]
}

/// The greedy recursion of `diverse` by genes: their products over all samples, of which half are computed, and for each of k
/// landmarks a pass over those and their image.
pub fn greedy_by_genes(samples: usize, genes: usize, k: usize) -> [Work; 2] {
    let (n, g) = (samples as f64, genes as f64);
    let products = Work { flop: n * g * g, bytes: F32 * n * g, double: false };
    let pass = Work { flop: 2.0 * g * g, bytes: F32 * g * g / 2.0, double: false };
    [products, pass.times(k as f64)]
}

/// The permutation test of `genes` genes over `samples` samples: all correlations of inferred with measured genes, none stored.
pub fn permutation(genes: usize, samples: usize) -> Work {
    let (g, n) = (genes as f64, samples as f64);
    Work { flop: 2.0 * g * g * n, bytes: F32 * 2.0 * g * n, double: false }
}

/// k-means of `samples` samples that learns from `learned` (with repeats), in batches of `batch`: of each a product with every
/// centre, of the first batch one with itself for the start; and, between products, rows that are read, moved and written to the
/// device, and the centres that they move, 3·G a sample, each read and written once a batch.
pub fn kmeans(learned: usize, samples: usize, batch: usize, genes: usize, centres: usize) -> [Work; 2] {
    let (l, n, b, g, k) = (learned as f64, samples as f64, batch as f64, genes as f64, centres as f64);
    let batches = (l + n) / b;
    let products = Work {
        flop: 2.0 * (l + n) * k * g + 2.0 * b * b * g,
        bytes: F32 * g * (l + n + batches * k),
        double: false,
    };
    let rows =
        Work { flop: 3.0 * l * g, bytes: F32 * g * (3.0 * (l + n) + l + 2.0 * (l / b) * k), double: false };
    [products, rows]
}

/// Bytes of an f64.
const F64: f64 = 8.0;
/// Samples after which sums over samples are read and written, where they stream by.
const BATCH: usize = 512;

/// So many `entries` of a kernel matrix of `n` samples on `l` landmarks: their products.
pub fn kernel_matrix(n: usize, entries: usize, l: usize) -> Work {
    let (n, entries, l) = (n as f64, entries as f64, l as f64);
    Work { flop: 2.0 * entries * l, bytes: F64 * (entries + n * l), double: true }
}

/// The Cholesky decomposition of n × n, of which half is read and written.
pub fn cholesky(n: usize) -> Work {
    let n = n as f64;
    Work { flop: n.powi(3) / 3.0, bytes: F64 * n * n, double: true }
}

/// The same, and the inverse of its triangle, by as many operations.
pub fn inverse(n: usize) -> Work {
    let decomposed = cholesky(n);
    Work { flop: 2.0 * decomposed.flop, bytes: 2.0 * decomposed.bytes, ..decomposed }
}

/// Solving for `t` right sides by so many triangles of n × n; the solutions are written as f32.
pub fn solution(triangles: usize, n: usize, t: usize) -> Work {
    let (triangles, n, t) = (triangles as f64, n as f64, t as f64);
    Work { flop: triangles * n * n * t, bytes: (F64 + F32) * n * t + F64 * n * n / 2.0, double: true }
}

/// Kernels of `n` samples with `c` centres on `l` landmarks, and their product with the weights of `t` targets.
pub fn kernels(n: usize, c: usize, l: usize, t: usize) -> Work {
    let (n, c, l, t) = (n as f64, c as f64, l as f64, t as f64);
    Work { flop: 2.0 * n * c * (l + t), bytes: F32 * (c * (l + t) + n * (l + t)), double: false }
}

/// Sums over `n` samples of products of their kernels, turned by a matrix of c × c, with each other, half of which follow from the rest, and
/// with `t` targets.
pub fn kernel_sums(n: usize, c: usize, l: usize, t: usize) -> Work {
    let batches = n.div_ceil(BATCH) as f64;
    let (n, c, l, t) = (n as f64, c as f64, l as f64, t as f64);
    let bytes = F32 * (n * (l + t) + batches * (2.0 * c * (c / 2.0 + t) + c * (l + c)));
    Work { flop: 2.0 * n * c * (l + 1.5 * c + t), bytes, double: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_shape_is_as_the_design_counts_it() {
        let widths = [22_268, 500, 100, 500, 22_268];
        let one = training(&widths, 1, 1, 3.0).flop;
        assert!((one - 111.9e6).abs() < 0.1e6, "{one}");
        let one = deeplift(&widths[..3], 1, 1).flop;
        assert!((one - 2.25e9).abs() < 0.01e9, "2·K·H·G and a forward pass: {one}");
        assert_eq!(permutation(10, 3), Work { flop: 600.0, bytes: 240.0, double: false });
        let [passes, forms] = greedy(2, 5, 1);
        assert_eq!([passes.flop, forms.flop], [40.0, 20.0 * 3.0]);
        assert_eq!(passes.floor(passes.flop, passes.bytes), 2.0, "f64 at half the rate");
        assert_eq!(
            [kernel_matrix(4, 10, 3).flop, cholesky(3).flop, solution(2, 3, 2).flop],
            [60.0, 9.0, 36.0]
        );
        assert_eq!([kernels(2, 3, 5, 7).flop, kernel_sums(2, 4, 5, 7).flop], [144.0, 288.0]);
        let half = training(&widths, 100, 50, 3.0);
        assert_eq!(half.flop, training(&widths, 100, 100, 3.0).flop);
        assert!(half.bytes > training(&widths, 100, 100, 3.0).bytes);
    }
}
