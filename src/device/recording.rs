//! A step as a plain list of kernel calls over matrices. It is recorded once and run many times, by
//! either executor; nothing in it depends on which one.
//!
//! # Rules that every kernel keeps
//!
//! * A [`Matrix`] is row-major. Rows and columns are padded in memory to multiples of [`PAD`]; padding is
//!   always zero. A kernel reads padding freely and writes zeros there (σ(0) is 0.5: epilogues mask).
//! * A step works on `Step::rows` samples, at most the number of rows that the batch matrices were made
//!   with. [`Call::Gather`], [`Call::Scatter`] and [`Call::Difference`] write zeros in the rows past `Step::rows`; the loss
//!   epilogue writes zero gradients there. So weight gradients need no row count: those rows add nothing.
//!   Layer outputs and derivatives in such rows are finite and unused; an executor may leave them as they were
//!   ([`Product::dims_at`]).
//! * Gradients travel without the factor 1/(B·G); [`Update`] applies `Step::gradient_scale`.
//! * Sums have a fixed order that follows from shapes and settings.

pub use super::activation::Activation;
pub use super::loss::Loss;
pub use crate::element::Element;

/// Rows and columns of every matrix are padded to a multiple of this, in elements.
pub const PAD: usize = 16;

/// Rounds up to a multiple of [`PAD`].
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(PAD)
}

/// A handle to a matrix that an executor owns. Shapes are the true ones, without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Matrix {
    /// Index in the executor that made it.
    pub id: u32,
    /// Of the executor since its last reset: a handle from before it, or of another executor, is of no use.
    pub generation: u32,
    /// True number of rows.
    pub rows: usize,
    /// True number of columns.
    pub cols: usize,
    /// Type of the elements.
    pub element: Element,
}

impl Matrix {
    /// Distance between rows, in elements.
    pub fn pitch(&self) -> usize {
        padded(self.cols)
    }
    /// Distance between rows, in bytes.
    pub fn row_bytes(&self) -> usize {
        self.pitch() * self.element.bytes()
    }
}

/// Inverted dropout on a layer's output: kept values are divided by 1 − rate.
///
/// The mask of element (row, col) comes from [`super::random::pcg4d`] keyed by (seed, step, layer,
/// `Step::offset` + row, col), so forward and backward draw the same one and nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Share of values set to zero, in [0, 1).
    pub rate: f32,
    /// Which layer's stream.
    pub layer: u32,
}

/// Every activation with one loss, and every loss with one activation, whose errors reach beyond 1: each is a text of its own, joined to the
/// same kernel, so that these pairs come by everything.
pub fn activations_and_losses() -> impl Iterator<Item = (Activation, Loss)> {
    let activations = Activation::ALL.iter().map(|activation| (*activation, Loss::Mse));
    let others = Loss::ALL.iter().filter(|loss| **loss != Loss::Mse);
    activations.chain(others.map(|loss| (Activation::Linear, *loss)))
}

/// What becomes of a gradient `g` (already summed over samples, scaled here by `Step::gradient_scale`).
/// With d = gradient_scale·g + 2·l2·w:
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Update {
    /// out = d
    Store {
        /// The parameter, for the L2 term.
        value: Matrix,
        /// Receives the gradient; same shape.
        out: Matrix,
        /// α of α·‖w‖².
        l2: f32,
    },
    /// m ← β₁m + (1−β₁)d, v ← β₂v + (1−β₂)d², w ← w − lr·(m/c₁)/(√(v/c₂) + ε), c₁, c₂ from [`Step`]
    /// (Kingma & Ba 2015, in PyTorch's form).
    Adam {
        /// The parameter w.
        value: Matrix,
        /// First moment m.
        first: Matrix,
        /// Second moment v.
        second: Matrix,
        /// Receives w too, rounded to its own type, for products that take it so.
        rounded: Option<Matrix>,
        /// α of α·‖w‖².
        l2: f32,
        /// β₁
        beta1: f32,
        /// β₂
        beta2: f32,
        /// ε
        epsilon: f32,
    },
    /// u ← μu + d, w ← w − lr·rate·u (PyTorch's SGD with momentum).
    Sgd {
        /// The parameter w.
        value: Matrix,
        /// Velocity u.
        velocity: Matrix,
        /// Receives w too, rounded to its own type, for products that take it so.
        rounded: Option<Matrix>,
        /// α of α·‖w‖².
        l2: f32,
        /// μ
        momentum: f32,
        /// Multiplies `Step::learning_rate` for this parameter.
        rate: f32,
    },
}

/// How the operands of a product C are laid out; `M × N` is the shape of C, `K` the summed dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// A is M × K, B is N × K: C = A·Bᵀ
    Nt,
    /// A is M × K, B is K × N: C = A·B
    Nn,
    /// A is K × M, B is K × N: C = Aᵀ·B
    Tn,
}

/// Per-element function that the DeepLIFT epilogue sums over samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Σ|C|
    Abs,
    /// ΣC
    Signed,
    /// ΣC²
    Square,
}

/// What happens to an element c = C[row, col] of a product, on the tile where it was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Epilogue {
    /// out = c
    Store {
        /// M × N
        out: Matrix,
    },
    /// out += c
    Add {
        /// M × N, f32
        out: Matrix,
    },
    /// out = dropout(activation(c + bias))
    Layer {
        /// 1 × N
        bias: Matrix,
        /// f
        activation: Activation,
        /// Training only.
        dropout: Option<Dropout>,
        /// M × N, takes c + bias: for the way back where that tells f's slope ([`SlopeOf::Input`](super::activation::SlopeOf)).
        kept: Option<Matrix>,
        /// M × N
        out: Matrix,
    },
    /// x̂ = activation(c + bias), e = x̂ − target. For rows < `Step::rows`:
    /// table[slot, 0] = Σ loss(e), table[slot, 1] = Σ |e|·unit[col], and
    /// gradient = loss'(e)·activation'(x̂) (0 in the other rows).
    Loss {
        /// 1 × N
        bias: Matrix,
        /// f
        activation: Activation,
        /// M × N
        target: Matrix,
        /// Which loss.
        loss: Loss,
        /// M × N, or `None` where only the figures are wanted.
        gradient: Option<Matrix>,
        /// 1 × N: scaled units to the store's units.
        unit: Matrix,
        /// At least `Step::slot` + 1 rows × 2, f32.
        table: Matrix,
    },
    /// The gradient of a parameter: see [`Update`].
    Update(Update),
    /// out = c · activation'(z), where the dropout mask and its 1/(1 − rate) are applied.
    Derivative {
        /// M × N, what [`Epilogue::Layer`] wrote and the slope is told by ([`SlopeOf`](super::activation::SlopeOf)): its `out`, stored after
        /// dropout, or its `kept`.
        kept: Matrix,
        /// f of that layer.
        activation: Activation,
        /// The same as in the forward pass.
        dropout: Option<Dropout>,
        /// M × N
        out: Matrix,
    },
    /// out = c · by[row mod by.rows, col]
    Multiply {
        /// S × N
        by: Matrix,
        /// M × N, M a multiple of S
        out: Matrix,
    },
    /// DeepLIFT of all seeds. Rows are seed-major: row = k·S + s for K seeds and S samples
    /// (S = difference.rows, M = K·S). With C = c·difference[s, col]:
    /// scores[k, col] += Σ_s fold(C) and sums[k, s] = Σ_col C.
    DeepLift {
        /// S × N, x − x₀; zero in rows past `Step::rows`
        difference: Matrix,
        /// What is summed over samples.
        fold: Fold,
        /// K × N, f32, accumulated over calls
        scores: Matrix,
        /// K × S, f32, overwritten
        sums: Matrix,
    },
    /// Competitors above a row's own value. Rows are the items `first..first + M` of a list, columns the items
    /// `Step::first..Step::first + Step::rows` of another of the same length (columns from `Step::rows` on do
    /// not count): counts[0, row] += number of columns of another item than the row's with c > own[0, row].
    Count {
        /// 1 × M, f32
        own: Matrix,
        /// 1 × M, f32, accumulated over calls; exact below 2²⁴
        counts: Matrix,
        /// Item of row 0.
        first: usize,
    },
    /// A kernel matrix: out = linear·c + radial·exp(min(slope·c + lengths[0, row] + others[0, col], 0)), and 0 in
    /// rows from `Step::rows` on. With c = x·x', slope = 2γ, lengths = −γ‖x‖² and others = −γ‖x'‖² the exponential
    /// is that of −γ‖x − x'‖², which rounding must not make positive.
    Kernel {
        /// The weights and the width.
        mixture: Mixture,
        /// 1 × M, f32
        lengths: Matrix,
        /// 1 × N, f32
        others: Matrix,
        /// M × N
        out: Matrix,
    },
}

/// A kernel that is a linear one and a Gaussian together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    /// Weight of the products.
    pub linear: f32,
    /// Weight of the Gaussian.
    pub radial: f32,
    /// 2γ of exp(−γ‖x − x'‖²), what a product is multiplied by in its exponent.
    pub slope: f32,
}

/// A matrix product and its epilogue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product {
    /// Shown in profiles and messages, e.g. `"layer 0 forward"`.
    pub name: &'static str,
    /// Layout of the operands.
    pub layout: Layout,
    /// Left operand.
    pub a: Matrix,
    /// Right operand.
    pub b: Matrix,
    /// What both operands are rounded to before they are multiplied (f32 accumulation): in half precision its type, since weights are f32
    /// master copies. F32: they are taken as they are stored, widened.
    pub operands: Element,
    /// What becomes of the result.
    pub epilogue: Epilogue,
}

impl Product {
    /// (M, N, K), true sizes.
    pub fn dims(&self) -> (usize, usize, usize) {
        match self.layout {
            Layout::Nt => (self.a.rows, self.b.rows, self.a.cols),
            Layout::Nn => (self.a.rows, self.b.cols, self.a.cols),
            Layout::Tn => (self.a.cols, self.b.cols, self.a.rows),
        }
    }

    /// (M, N, K) of what a step of fewer samples than the batch matrices hold needs: as many rows of a layer's output, its
    /// loss or its derivative, and a parameter's gradient summed over as many.
    pub fn dims_at(&self, step: &Step) -> (usize, usize, usize) {
        let ((m, n, k), rows) = (self.dims(), step.rows.max(1));
        match self.epilogue {
            Epilogue::Layer { .. } | Epilogue::Loss { .. } | Epilogue::Derivative { .. } => {
                (m.min(rows), n, k)
            }
            Epilogue::Update(_) if self.layout == Layout::Tn => (m, n, k.min(rows)),
            _ => (m, n, k),
        }
    }
}

/// One kernel call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Call {
    /// out[r, :] = (source[i, :] − offset)·scale with i = index[0, Step::first + r] (or Step::first + r
    /// without an index) for r < `Step::rows`; zero in the other rows.
    Gather {
        /// Raw values, f32 or f16; may be far larger than one binding.
        source: Matrix,
        /// 1 × n, u32.
        index: Option<Matrix>,
        /// 1 × G
        offset: Matrix,
        /// 1 × G
        scale: Matrix,
        /// B × G
        out: Matrix,
    },
    /// out[r, :] = (x − offset)·scale for r < `Step::rows`, zero in the other rows; x is row r, of which what is not zero is given.
    Scatter {
        /// As [`super::pairs`] packs rows, u32; may be far larger than one binding.
        pairs: Matrix,
        /// How many rows it is packed for, no fewer than B.
        packed: usize,
        /// 1 × G
        offset: Matrix,
        /// 1 × G
        scale: Matrix,
        /// B × G
        out: Matrix,
    },
    /// See [`Product`].
    Product(Product),
    /// The gradient of a bias: column sums of `gradient` (B × N) go to `update` (1 × N parameters; l2 is 0).
    BiasGradient {
        /// B × N
        gradient: Matrix,
        /// What becomes of them.
        update: Update,
    },
    /// A gradient that was summed elsewhere goes to `update`, which has its shape.
    Update {
        /// R × C, f32
        gradient: Matrix,
        /// What becomes of it.
        update: Update,
    },
    /// out = activation(input), elementwise.
    Activate {
        /// S × H
        input: Matrix,
        /// f
        activation: Activation,
        /// S × H
        out: Matrix,
    },
    /// DeepLIFT's Rescale multiplier m = (f(z) − f(z₀))/(z − z₀), f'(z) where z = z₀, in the stable form of
    /// [`super::activation::Nonlinearity::secant`].
    Multipliers {
        /// S × H, z
        input: Matrix,
        /// 1 × H, z₀
        reference: Matrix,
        /// f
        activation: Activation,
        /// S × H
        out: Matrix,
    },
    /// out[r, :] = input[r, :] − reference[0, :] for r < `Step::rows`, zero in the other rows.
    Difference {
        /// S × G
        input: Matrix,
        /// 1 × G
        reference: Matrix,
        /// S × G
        out: Matrix,
    },
    /// The rows that DeepLIFT's chain starts from. `average = false`: out is (K·S) × K,
    /// out[k·S + s, j] = δ(j,k)·m[s,k]. `average = true`: out is S × K, out[s, j] = m[s,j]/K.
    Seeds {
        /// S × K: the bottleneck's multipliers, or `None` for the pre-activation target (m = 1).
        multipliers: Option<Matrix>,
        /// Mean over neurons instead of one row each.
        average: bool,
        /// See above.
        out: Matrix,
        /// S, since `multipliers` may be absent.
        samples: usize,
    },
    /// Samples of the concrete distribution (Maddison et al. 2017; Jang et al. 2017), one a row:
    /// out[r, :] = softmax((logits[r, :] + g)/T), T = `Step::temperature`, g Gumbel noise from
    /// [`super::random::gumbel_words`] keyed by (seed, step, row, column).
    Concrete {
        /// N × G, f32
        logits: Matrix,
        /// N × G, f32
        out: Matrix,
    },
    /// Back through [`Call::Concrete`]: m⊙(d − Σ_j m_j·d_j)/T of each row goes to `update`.
    ConcreteGradient {
        /// N × G: m, what [`Call::Concrete`] wrote in the same step.
        selection: Matrix,
        /// N × G: d, with respect to m.
        gradient: Matrix,
        /// What becomes of the logits' gradient.
        update: Update,
    },
    /// out[r, 0] = the column of the largest of input[r, :], the first of equals.
    Largest {
        /// M × N, N at most 2²⁴
        input: Matrix,
        /// M × 1, f32
        out: Matrix,
    },
    /// table[Step::slot, column] = Σ w² over `input`.
    SumSquares {
        /// Any matrix.
        input: Matrix,
        /// f32
        table: Matrix,
        /// Column of `table`.
        column: usize,
    },
}

impl Call {
    /// What it does and in which shape, for profiles and messages.
    pub fn describe(&self) -> String {
        let (name, shape) = match self {
            Call::Product(product) => {
                let (m, n, k) = product.dims();
                return format!("{} {m} × {n} over {k}", product.name);
            }
            Call::Gather { out, .. } => ("gather", out),
            Call::Scatter { out, .. } => ("scatter", out),
            Call::BiasGradient { gradient, .. } => ("bias gradient", gradient),
            Call::Update { gradient, .. } => ("update", gradient),
            Call::Activate { out, .. } => ("activation", out),
            Call::Multipliers { out, .. } => ("multipliers", out),
            Call::Difference { out, .. } => ("difference", out),
            Call::Seeds { out, .. } => ("seeds", out),
            Call::Concrete { out, .. } => ("concrete", out),
            Call::ConcreteGradient { selection, .. } => ("concrete gradient", selection),
            Call::Largest { input, .. } => ("largest of each row", input),
            Call::SumSquares { input, .. } => ("sum of squares", input),
        };
        format!("{name} {} × {}", shape.rows, shape.cols)
    }
}

/// The scalars that change from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Samples in this batch, at most the batch matrices' rows.
    pub rows: usize,
    /// Rows of the whole batch before these, where several ranks share one: dropout masks are keyed by the row of the whole batch.
    pub offset: usize,
    /// Position of the batch's first row in the index (or in the source, without an index).
    pub first: usize,
    /// Row of the loss table that this step writes.
    pub slot: usize,
    /// Keys the dropout masks; the optimizer's step, from 1.
    pub step: u64,
    /// Keys every random stream.
    pub seed: u64,
    /// lr
    pub learning_rate: f32,
    /// 1/(B·G) with B = `rows`.
    pub gradient_scale: f32,
    /// 1 − β₁ᵗ, computed in f64.
    pub correction1: f32,
    /// 1 − β₂ᵗ, computed in f64.
    pub correction2: f32,
    /// T of [`Call::Concrete`].
    pub temperature: f32,
}

impl Default for Step {
    fn default() -> Self {
        Step {
            rows: 0,
            offset: 0,
            first: 0,
            slot: 0,
            step: 1,
            seed: 0,
            learning_rate: 0.0,
            gradient_scale: 1.0,
            correction1: 1.0,
            correction2: 1.0,
            temperature: 1.0,
        }
    }
}

/// A list of calls that checks shapes as it grows.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    calls: Vec<Call>,
}

impl Recording {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a call.
    ///
    /// # Panics
    /// If the shapes do not fit together, or a matrix that is written is read elsewhere: a recording is made by this library alone, so
    /// that is a bug here.
    pub fn push(&mut self, call: Call) {
        super::declared::check(&call);
        self.calls.push(call);
    }

    /// In the order in which they run.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The first matrix that is not of this generation.
    pub(crate) fn stale(&self, generation: u32) -> Option<Matrix> {
        let matrices = self.calls.iter().flat_map(Call::matrices).map(|(matrix, _)| matrix);
        matrices.into_iter().find(|matrix| matrix.generation != generation)
    }

    /// Appends a product.
    pub fn product(
        &mut self,
        name: &'static str,
        layout: Layout,
        a: Matrix,
        b: Matrix,
        operands: Element,
        epilogue: Epilogue,
    ) {
        self.push(Call::Product(Product { name, layout, a, b, operands, epilogue }));
    }
}
