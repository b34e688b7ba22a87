//! From recorded calls to dispatches: which kernel variant, bound to which chunks, with which arguments. Pure:
//! no device is needed, so every shader that a recording can lead to may be listed and checked anywhere.

use std::collections::BTreeSet;

use super::chunks::{Chunking, View, pieces};
use super::product;
use super::shader::{Kernel, Scratch};
use super::tiles::{Tile, Tuning};
use crate::device::declared::Declared;
use crate::device::pairs;
use crate::device::random::GUMBEL;
use crate::device::recording::{Call, Element, Matrix, Recording};
use crate::device::wgsl;

/// What a plan depends on besides the recording.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The largest binding.
    pub chunking: Chunking,
    /// Most bytes for each kind of partial results.
    pub scratch: u64,
    /// Most operations of one dispatch of a product.
    pub longest: u64,
    /// Bytes that the threads of a workgroup share.
    pub workgroup_memory: usize,
    /// Chooses tiles.
    pub tuning: Tuning,
    /// For products of f16 operands where the tuning has them on cooperative matrices, of many tiles and of few.
    pub cooperative: [Tile; 2],
    /// Overrides the choice (tests).
    pub tile: Option<Tile>,
    /// Overrides the number of slices of split products (tests).
    pub slices: Option<usize>,
}

impl Target {
    /// Pieces of the operands that shared memory holds at a time.
    pub fn stages(&self, tile: Tile) -> usize {
        if self.tuning.double_buffered && 16 * tile.shared_quads(2) <= self.workgroup_memory { 2 } else { 1 }
    }
}

/// One dispatch.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The call and, where it is several dispatches, which; for messages and profiles.
    pub label: String,
    /// The kernel and its arguments.
    pub kernel: Kernel,
    /// Workgroups in all; folded into two dimensions later.
    pub workgroups: u64,
}

/// The dispatches of a recording, in order, and the scratch memory they share.
#[derive(Debug, Default)]
pub struct Plan {
    /// In order.
    pub launches: Vec<Launch>,
    /// Bytes of each [`Scratch`].
    pub scratch: [u64; Scratch::COUNT],
}

/// Threads of the elementwise kernels.
const THREADS: usize = 64;

impl Plan {
    /// Plans every call of `recording`.
    pub fn new(recording: &Recording, target: &Target) -> Self {
        let mut plan = Plan::default();
        for call in recording.calls() {
            let first = plan.launches.len();
            plan.call(call, target);
            let (name, kernels) = (call.describe(), &mut plan.launches[first..]);
            let several = kernels.len() > 1;
            for launch in kernels {
                launch.label = if several { format!("{name}: {}", launch.label) } else { name.clone() };
            }
        }
        plan
    }

    /// Appends a dispatch.
    pub fn push(&mut self, label: &str, kernel: Kernel, workgroups: usize) {
        self.launches.push(Launch { label: label.to_owned(), kernel, workgroups: workgroups as u64 });
    }

    /// Makes room for scratch memory.
    pub fn reserve(&mut self, scratch: Scratch, bytes: usize) {
        let slot = &mut self.scratch[scratch as usize];
        *slot = (*slot).max(bytes as u64);
    }

    fn call(&mut self, call: &Call, target: &Target) {
        match *call {
            Call::Gather { source, index, offset, scale, out } => {
                self.gather(target, source, index, [offset, scale], out);
            }
            Call::Scatter { pairs, packed, offset, scale, out } => {
                self.scatter(target, (pairs, pairs::heading(packed)), [offset, scale], out);
            }
            Call::Product(product) => product::plan(self, &product, target),
            Call::BiasGradient { gradient, update } => {
                product::bias_gradient(self, gradient, &update, target);
            }
            Call::Update { gradient, update } => product::update(self, gradient, &update, target),
            Call::Activate { out, .. }
            | Call::Multipliers { out, .. }
            | Call::Difference { out, .. }
            | Call::Seeds { out, .. }
            | Call::Largest { out, .. } => self.elementwise(target, &call.declared(), out),
            Call::Concrete { logits, out } => self.concrete(target, logits, out),
            Call::ConcreteGradient { selection, gradient, update } => {
                product::concrete_gradient(self, selection, gradient, &update, target);
            }
            Call::SumSquares { input, table, column } => self.sum_squares(target, input, table, column),
        }
    }

    /// A kernel with one thread a quad of `out`.
    fn elementwise(&mut self, target: &Target, declared: &Declared, out: Matrix) {
        let chunking = target.chunking;
        let mut cuts = BTreeSet::new();
        for matrix in declared.operands.iter().filter_map(|operand| operand.matrix) {
            cut_repeated(&chunking, matrix, out.rows, &mut cuts);
        }
        for rows in pieces(out.rows, &cuts) {
            let mut kernel = Kernel::new(&[declared.shader]);
            rectangle(&mut kernel, rows.start, rows.end, out);
            kernel.bind(&declared.operands, chunking, rows.start).declare(declared);
            self.push(declared.shader, kernel, (rows.len() * out.pitch() / 4).div_ceil(THREADS));
        }
    }

    fn gather(
        &mut self,
        target: &Target,
        source: Matrix,
        index: Option<Matrix>,
        [offset, scale]: [Matrix; 2],
        out: Matrix,
    ) {
        let chunking = target.chunking;
        for to in chunking.views(out) {
            for from in chunking.views(source) {
                let mut kernel = Kernel::new(&[wgsl!("gather.wgsl")]);
                let end = to.end.min(out.rows);
                rectangle(&mut kernel, to.first, end, out);
                kernel.read("source", from).uint("source_begin", from.first).uint("source_end", from.end);
                match index {
                    Some(index) => kernel.read("index", chunking.view(index, 0)),
                    None => kernel.absent("index", Element::U32),
                };
                kernel.read("offset", chunking.view(offset, 0)).read("scale", chunking.view(scale, 0));
                kernel.write("out", to);
                kernel.constant("INDEXED", index.is_some()).constant("FIRST", from.chunk == 0);
                self.push("gather", kernel, ((end - to.first) * out.pitch() / 4).div_ceil(THREADS));
            }
        }
    }

    fn scatter(
        &mut self,
        target: &Target,
        (packed, heading): (Matrix, usize),
        [offset, scale]: [Matrix; 2],
        out: Matrix,
    ) {
        let chunking = target.chunking;
        let starts = chunking.view(packed, 0);
        debug_assert!(heading <= starts.end, "one binding holds where rows begin");
        let behind = |line: usize| line.saturating_sub(heading) * (pairs::WIDTH / 2);
        for to in chunking.views(out) {
            for from in chunking.views(packed) {
                let mut kernel = Kernel::new(&[wgsl!("scatter.wgsl")]);
                let end = to.end.min(out.rows);
                rectangle(&mut kernel, to.first, end, out);
                kernel.read("starts", starts).read("pairs", from);
                kernel.uint("heading", heading);
                kernel.uint("pairs_begin", behind(from.first)).uint("pairs_end", behind(from.end));
                kernel.read("offset", chunking.view(offset, 0)).read("scale", chunking.view(scale, 0));
                kernel.write("out", to);
                kernel.size("WORDS", pairs::WIDTH).constant("FIRST", from.chunk == 0);
                self.push("scatter", kernel, ((end - to.first) * out.pitch() / 4).div_ceil(THREADS));
            }
        }
    }

    fn concrete(&mut self, target: &Target, logits: Matrix, out: Matrix) {
        // the same shape and type, so the same chunks
        for (from, to) in target.chunking.views(logits).into_iter().zip(target.chunking.views(out)) {
            let mut kernel = Kernel::new(&[wgsl!("concrete.wgsl")]);
            let end = to.end.min(out.rows);
            workgroup(&mut kernel, 256, 256);
            rectangle(&mut kernel, to.first, end, out);
            kernel.read("logits", from).write("out", to);
            kernel.word("stream", GUMBEL.wrapping_mul(0x9E37_79B9));
            self.push("concrete", kernel, end - to.first);
        }
    }

    fn sum_squares(&mut self, target: &Target, input: Matrix, table: Matrix, column: usize) {
        /// Quads that a workgroup of 256 threads sums.
        const BLOCK: usize = 4096;
        let mut pairs = 0;
        let views = target.chunking.views(input);
        let blocks = |view: &View| ((view.end - view.first) * input.pitch() / 4).div_ceil(BLOCK);
        self.reserve(Scratch::Pairs, 8 * views.iter().map(blocks).sum::<usize>());
        for view in views {
            let mut kernel = Kernel::new(&[wgsl!("sum_squares.wgsl")]);
            workgroup(&mut kernel, 256, 256);
            rectangle(&mut kernel, view.first, view.end, input);
            kernel.read("input", view).uint("block", BLOCK).uint("pair_begin", pairs).scratch(Scratch::Pairs);
            self.push("sum of squares", kernel, blocks(&view));
            pairs += blocks(&view);
        }
        self.reduce_pairs(target, pairs, table, column, 1);
    }

    /// Adds the first `pairs` pairs and writes `columns` sums to the table's row `Step::slot`.
    pub fn reduce_pairs(
        &mut self,
        target: &Target,
        pairs: usize,
        table: Matrix,
        column: usize,
        columns: usize,
    ) {
        for view in target.chunking.views(table) {
            let mut kernel = Kernel::new(&[wgsl!("reduce.wgsl")]);
            workgroup(&mut kernel, 256, 256);
            kernel.size("COLUMNS", columns);
            kernel.uint("pairs", pairs).uint("column", column).scratch(Scratch::Pairs);
            kernel.uint("row_begin", view.first).uint("row_end", view.end).write("table", view);
            self.push("sum", kernel, 1);
        }
    }
}

/// Arguments of the kernels that go over rows `begin..end` of `matrix` quad by quad (`shared/grid.wgsl`).
pub fn rectangle(kernel: &mut Kernel, begin: usize, end: usize, matrix: Matrix) {
    kernel.uint("row_begin", begin).uint("row_end", end);
    kernel.uint("quads", matrix.pitch() / 4).uint("cols", matrix.cols);
}

/// Constants of `shared/workgroup.wgsl`.
pub fn workgroup(kernel: &mut Kernel, threads: usize, quads: usize) {
    kernel.size("THREADS", threads).size("TILE_LENGTH", quads);
}

/// Cuts where an operand that repeats every `operand.rows` rows enters a new chunk.
pub fn cut_repeated(chunking: &Chunking, operand: Matrix, rows: usize, cuts: &mut BTreeSet<usize>) {
    let views = chunking.views(operand);
    if views.len() > 1 {
        for turn in (0..rows).step_by(operand.rows) {
            cuts.extend(views.iter().map(|view| turn + view.first));
        }
    }
}
