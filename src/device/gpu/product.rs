//! The dispatches of a matrix product C = A·B and its epilogue.
//!
//! C is cut into rectangles such that every operand lies in one chunk; a summed dimension that spans chunks,
//! or is long while C is small, is cut into slices whose partial results are added in order
//! (`split_k_reduce.wgsl`). Whichever kernel ends up with the values of C runs the epilogue.

use std::collections::BTreeSet;
use std::ops::Range;

use super::chunks::{ROWS, View, pieces};
use super::plan::{Plan, Target, cut_repeated, rectangle, workgroup};
use super::shader::{Kernel, Scratch};
use super::tiles::{Tile, Way};
use crate::device::declared::{Leaves, Rows};
use crate::device::recording::{Element, Epilogue, Layout, Matrix, Product, Update, padded};
use crate::device::wgsl;

/// Equal segments of C's rows, `count` of `rows` rows from `begin` on.
#[derive(Clone, Copy)]
struct Segments {
    begin: usize,
    rows: usize,
    count: usize,
}

/// A rectangle of C: rows, and columns as a range of quads.
struct Rectangle {
    segments: Segments,
    quads: Range<usize>,
}

/// A piece of the summed dimension within one chunk, in `count` slices of `step`.
struct Slices {
    range: Range<usize>,
    step: usize,
    count: usize,
}

impl Rectangle {
    fn tiles_segment(&self, tile: Tile) -> usize {
        self.segments.rows.div_ceil(tile.m)
    }
    fn tiles_n(&self, tile: Tile) -> usize {
        (self.quads.len() * 4).div_ceil(tile.n)
    }
    fn tiles(&self, tile: Tile) -> usize {
        self.tiles_segment(tile) * self.segments.count * self.tiles_n(tile)
    }
    fn rows(&self) -> usize {
        self.segments.rows * self.segments.count
    }
}

/// Plans one product.
pub fn plan(plan: &mut Plan, product: &Product, target: &Target) {
    let n = product.dims().1;
    let tile = tile(product, target);
    let slices = slices(product, target, tile);
    let parts: usize = slices.iter().map(|s| s.count).sum();
    let end = if parts > 1 { Tile::REDUCE } else { tile };
    let mut epilogue = Finish { epilogue: &product.epilogue, name: product.name, n, pairs: 0 };
    for rectangle in rectangles(product, target, end, parts) {
        if parts == 1 {
            let mut kernel = matmul(product, target, tile, &rectangle, &slices[0]);
            epilogue.bind(&mut kernel, plan, target, tile, &rectangle);
            plan.push(product.name, kernel, rectangle.tiles(tile));
        } else {
            let mut begin = 0;
            plan.reserve(Scratch::Partial, parts * rectangle.rows() * rectangle.quads.len() * 16);
            for slice in &slices {
                let mut kernel = matmul(product, target, tile, &rectangle, slice);
                kernel
                    .file(wgsl!("epilogue/partial.wgsl"))
                    .scratch(Scratch::Partial)
                    .uint("slice_begin", begin);
                plan.push(product.name, kernel, rectangle.tiles(tile) * slice.count);
                begin += slice.count;
            }
            epilogue.reduce(plan, target, &rectangle, parts);
        }
        epilogue.after(plan, target, end, &rectangle);
    }
    epilogue.last(plan, target);
}

/// The gradient of a bias: column sums, by blocks of rows where there are many, and the end of a product with one row.
pub fn bias_gradient(plan: &mut Plan, gradient: Matrix, update: &Update, target: &Target) {
    const NAME: &str = "bias gradient";
    /// Quads and threads of a workgroup, and rows that it sums: what is left then are few partial results.
    const QUADS: usize = 8;
    const THREADS: usize = 256;
    const BLOCK_ROWS: usize = 4096;
    let quads = gradient.pitch() / 4;
    let epilogue = Epilogue::Update(*update);
    let mut finish = Finish { epilogue: &epilogue, name: NAME, n: gradient.cols, pairs: 0 };
    let row = Rectangle { segments: Segments { begin: 0, rows: 1, count: 1 }, quads: 0..quads };
    let fit = (target.scratch as usize / (quads * 16)).max(1);
    let block_rows = gradient.rows.div_ceil(fit).max(BLOCK_ROWS);
    let views = target.chunking.views(gradient);
    let rows = |view: &View| view.first..view.end.min(gradient.rows);
    let blocks = |view: &View| rows(view).len().div_ceil(block_rows);
    let parts = views.iter().map(blocks).sum();
    let mut begin = 0;
    for view in views {
        let mut kernel = Kernel::new(&[wgsl!("bias_gradient.wgsl")]);
        workgroup(&mut kernel, THREADS, THREADS);
        rectangle(&mut kernel, view.first, rows(&view).end, gradient);
        kernel.size("QUADS", QUADS).uint("block_rows", block_rows).read("gradient", view);
        if parts == 1 {
            finish.bind(&mut kernel, plan, target, Tile::REDUCE, &row);
        } else {
            kernel.file(wgsl!("epilogue/partial.wgsl")).scratch(Scratch::Partial).uint("slice_begin", begin);
            kernel.uint("m_begin", 0).uint("segment_rows", 1).uint("segments", 1);
            kernel.uint("quad_begin", 0).uint("quad_end", quads);
        }
        plan.push(NAME, kernel, blocks(&view) * quads.div_ceil(QUADS));
        begin += blocks(&view);
    }
    if parts > 1 {
        plan.reserve(Scratch::Partial, parts * quads * 16);
        finish.reduce(plan, target, &row, parts);
    }
}

/// The gradient of concrete samples' logits, a workgroup a row, and their update.
pub fn concrete_gradient(
    plan: &mut Plan,
    selection: Matrix,
    gradient: Matrix,
    update: &Update,
    target: &Target,
) {
    const NAME: &str = "concrete gradient";
    let epilogue = Epilogue::Update(*update);
    let mut finish = Finish { epilogue: &epilogue, name: NAME, n: selection.cols, pairs: 0 };
    let quads = 0..selection.pitch() / 4;
    let mut cuts = BTreeSet::new();
    let bound = epilogue.declared().operands;
    for matrix in [selection, gradient].into_iter().chain(bound.iter().filter_map(|o| o.matrix)) {
        target.chunking.cut(matrix, &mut cuts);
    }
    for rows in pieces(selection.rows, &cuts) {
        let mut kernel = Kernel::new(&[wgsl!("concrete_gradient.wgsl")]);
        workgroup(&mut kernel, 256, 256);
        rectangle(&mut kernel, rows.start, rows.end, selection);
        kernel.read("selection", target.chunking.view(selection, rows.start));
        kernel.read("gradient", target.chunking.view(gradient, rows.start));
        let segments = Segments { begin: rows.start, rows: rows.len(), count: 1 };
        let piece = Rectangle { segments, quads: quads.clone() };
        finish.bind(&mut kernel, plan, target, Tile::REDUCE, &piece);
        plan.push(NAME, kernel, rows.len());
    }
}

/// The update of a parameter from a gradient that was summed before, a thread four elements.
pub fn update(plan: &mut Plan, gradient: Matrix, update: &Update, target: &Target) {
    const NAME: &str = "update";
    const THREADS: usize = 64;
    let epilogue = Epilogue::Update(*update);
    let mut finish = Finish { epilogue: &epilogue, name: NAME, n: gradient.cols, pairs: 0 };
    let quads = gradient.pitch() / 4;
    let mut cuts = BTreeSet::new();
    let bound = epilogue.declared().operands;
    for matrix in std::iter::once(gradient).chain(bound.iter().filter_map(|o| o.matrix)) {
        target.chunking.cut(matrix, &mut cuts);
    }
    for rows in pieces(gradient.rows, &cuts) {
        let mut kernel = Kernel::new(&[wgsl!("update.wgsl")]);
        rectangle(&mut kernel, rows.start, rows.end, gradient);
        kernel.read("gradient", target.chunking.view(gradient, rows.start));
        let segments = Segments { begin: rows.start, rows: rows.len(), count: 1 };
        let piece = Rectangle { segments, quads: 0..quads };
        finish.bind(&mut kernel, plan, target, Tile::REDUCE, &piece);
        plan.push(NAME, kernel, (rows.len() * quads).div_ceil(THREADS));
    }
}

/// The tile of a product. Cooperative matrices take f16 operands, of more rows and columns than a few.
fn tile(product: &Product, target: &Target) -> Tile {
    let (m, n, k) = product.dims();
    let half = product.operands == Element::F16
        || [product.a, product.b].iter().all(|matrix| matrix.element == Element::F16);
    let rounded = |tile: &Tile| matches!(tile.way, Way::Cooperative { .. } | Way::Emulated);
    match target.tile {
        Some(tile) if rounded(&tile) && !half => Tile::LARGE,
        Some(tile) => tile,
        None if target.tuning.cooperative && half && m.min(n) > 32 => {
            let [large, small] = target.cooperative;
            if target.tuning.busy(large, [m, n, k]) { large } else { small }
        }
        None => target.tuning.tile(product.layout, [m, n, k]),
    }
}

/// How the summed dimension is cut.
fn slices(product: &Product, target: &Target, tile: Tile) -> Vec<Slices> {
    let (m, n, k) = product.dims();
    let mut cuts = BTreeSet::new();
    match product.layout {
        Layout::Nt => {}
        Layout::Nn => target.chunking.cut(product.b, &mut cuts),
        Layout::Tn => {
            target.chunking.cut(product.a, &mut cuts);
            target.chunking.cut(product.b, &mut cuts);
        }
    }
    // Padding of the summed dimension is zero on at least one side, and saves the kernel a bounds check.
    let pieces = pieces(padded(k), &cuts);
    let wanted = target.slices.unwrap_or_else(|| target.tuning.slices(tile.count(m, n), k)).max(1);
    let length = padded(k).div_ceil(wanted);
    pieces
        .into_iter()
        .map(|range| {
            let step = range.len().div_ceil(range.len().div_ceil(length)).next_multiple_of(16);
            Slices { step, count: range.len().div_ceil(step), range }
        })
        .collect()
}

/// Cuts C so that no rectangle crosses a chunk of any operand, needs too much scratch memory or takes too long.
fn rectangles(product: &Product, target: &Target, end: Tile, parts: usize) -> Vec<Rectangle> {
    let (m, n, k) = product.dims();
    let chunking = &target.chunking;
    // columns of so many rows, or rows of so many columns, that one dispatch may take
    let in_time = |others: usize| target.longest as usize / (2 * k * others).max(1);
    let (mut rows, mut columns) = (BTreeSet::new(), BTreeSet::new());
    if product.layout != Layout::Tn {
        chunking.cut(product.a, &mut rows);
    }
    if product.layout == Layout::Nt {
        chunking.cut(product.b, &mut columns);
    }
    for operand in product.epilogue.declared().operands {
        match operand.matrix {
            Some(matrix) if operand.rows == Rows::Same => chunking.cut(matrix, &mut rows),
            Some(matrix) => cut_repeated(chunking, matrix, m, &mut rows),
            None => {}
        }
    }
    let mut segment = m;
    let leaves = product.epilogue.leaves();
    if let Some(Leaves::Scores { scores, sums }) = leaves {
        segment = sums.cols;
        for matrix in [scores, sums] {
            rows.extend(chunking.views(matrix).iter().map(|view| view.first * segment));
        }
    }
    // Partial results of at least ROWS rows must fit, so many columns at most:
    let scratch = target.scratch as usize;
    let widest = (scratch / (ROWS * 4 * parts)).min(in_time(ROWS));
    let widest = (widest / ROWS * ROWS).max(ROWS);
    columns.extend((0..n).step_by(widest));

    let mut rectangles = Vec::new();
    for columns in pieces(n, &columns) {
        let quads = columns.start / 4..columns.end.div_ceil(4);
        let mut row_bytes = 1;
        if parts > 1 {
            row_bytes = parts * quads.len() * 16;
        }
        if matches!(leaves, Some(Leaves::Scores { .. })) {
            let scores = (quads.len() * 16).div_ceil(end.m);
            row_bytes = row_bytes.max(scores);
        }
        if matches!(leaves, Some(Leaves::Scores { .. } | Leaves::RowSums(_))) {
            row_bytes = row_bytes.max(4 * columns.len().div_ceil(end.n));
        }
        let most_rows = (scratch / row_bytes).min(in_time(columns.len()));
        let most_rows = (most_rows / ROWS * ROWS).max(ROWS);
        for piece in pieces(m, &rows) {
            for segments in segments(piece, segment, most_rows, end.m) {
                rectangles.push(Rectangle { segments, quads: quads.clone() });
            }
        }
    }
    rectangles
}

/// Divides rows into whole segments of `length` rows where it can and parts of one where it must, at most
/// `most` rows (each segment padded to `tile` rows) at a time.
fn segments(rows: Range<usize>, length: usize, most: usize, tile: usize) -> Vec<Segments> {
    let mut found = Vec::new();
    let mut begin = rows.start;
    while begin < rows.end {
        let left = rows.end - begin;
        let whole = (left / length).min(most / length.next_multiple_of(tile));
        let next = if begin.is_multiple_of(length) && whole > 0 {
            Segments { begin, rows: length, count: whole }
        } else {
            let rest = length - begin % length;
            Segments { begin, rows: rest.min(left).min(most), count: 1 }
        };
        begin += next.rows * next.count;
        found.push(next);
    }
    found
}

/// The product kernel over one rectangle and one piece of the summed dimension, without its epilogue.
fn matmul(product: &Product, target: &Target, tile: Tile, rectangle: &Rectangle, slices: &Slices) -> Kernel {
    let Segments { begin, rows, count } = rectangle.segments;
    let mut kernel = Kernel::new(&[match tile.way {
        Way::Direct => wgsl!("matmul_software.wgsl"),
        Way::Shared => wgsl!("matmul.wgsl"),
        Way::Cooperative { .. } => wgsl!("matmul_cooperative.wgsl"),
        Way::Emulated => wgsl!("matmul_emulated.wgsl"),
    }]);
    match tile.way {
        Way::Cooperative { side, group } => {
            kernel.native_half().enable("wgpu_cooperative_matrix").size("SIDE", side).size("GROUP", group);
            for (name, of) in [("matrix_a", "f16, A"), ("matrix_b", "f16, B"), ("matrix_c", "f32, C")] {
                kernel.alias(name, &format!("coop_mat{side}x{side}<{of}>"));
            }
            kernel.uint("workgroups", rectangle.tiles(tile) * slices.count)
        }
        Way::Emulated => kernel.alias("halves", "vec4f").size("GROUP", 32),
        Way::Shared => kernel.size("STAGES", target.stages(tile)),
        Way::Direct => &mut kernel,
    };
    geometry(&mut kernel, tile, target.stages(tile), rectangle, product.dims().1);
    kernel.uint("slices", slices.count);
    kernel.uint("k_begin", slices.range.start).uint("k_end", slices.range.end).uint("k_step", slices.step);
    let (a_row, b_row) = match product.layout {
        Layout::Nt => (begin, rectangle.quads.start * 4),
        Layout::Nn => (begin, slices.range.start),
        Layout::Tn => (slices.range.start, slices.range.start),
    };
    kernel.read("a", target.chunking.view(product.a, a_row));
    kernel.read("b", target.chunking.view(product.b, b_row));
    if matches!(tile.way, Way::Cooperative { .. } | Way::Emulated) {
        kernel.halved("a").halved("b");
    }
    let transposed = product.layout == Layout::Tn;
    kernel.constant("A_TRANSPOSED", transposed).constant("B_TRANSPOSED", product.layout == Layout::Nt);
    let aligned = begin % 4 == 0 && (rows % 4 == 0 || count == 1);
    kernel.constant("SHIFTED", transposed && !aligned);
    let round = |matrix: Matrix| product.operands == Element::F16 && matrix.element == Element::F32;
    kernel.constant("ROUND_A", round(product.a)).constant("ROUND_B", round(product.b));
    kernel
}

/// Constants and arguments of `shared/tile.wgsl`.
fn geometry(kernel: &mut Kernel, tile: Tile, stages: usize, rectangle: &Rectangle, cols: usize) {
    kernel.size("BM", tile.m).size("BN", tile.n).size("BK", tile.k);
    kernel.size("TM", tile.thread_m).size("TN", tile.thread_n).size("TILE_LENGTH", tile.shared_quads(stages));
    let Segments { begin, rows, count } = rectangle.segments;
    kernel.uint("m_begin", begin).uint("segment_rows", rows).uint("segments", count);
    kernel.uint("quad_begin", rectangle.quads.start).uint("quad_end", rectangle.quads.end);
    kernel.uint("cols", cols);
}

/// What remains to be done with the values of C.
struct Finish<'a> {
    epilogue: &'a Epilogue,
    name: &'static str,
    n: usize,
    /// Pairs of the loss written so far.
    pairs: usize,
}

impl Finish<'_> {
    /// Adds `parts` partial results and runs the epilogue.
    fn reduce(&mut self, plan: &mut Plan, target: &Target, rectangle: &Rectangle, parts: usize) {
        let mut kernel = Kernel::new(&[wgsl!("split_k_reduce.wgsl")]);
        geometry(&mut kernel, Tile::REDUCE, 1, rectangle, self.n);
        kernel.uint("slices", 1).uint("partials", parts).scratch(Scratch::Partial);
        self.bind(&mut kernel, plan, target, Tile::REDUCE, rectangle);
        plan.push(self.name, kernel, rectangle.tiles(Tile::REDUCE));
    }

    /// Adds the epilogue to a kernel that makes `rectangle` by `tile`s.
    fn bind(
        &mut self,
        kernel: &mut Kernel,
        plan: &mut Plan,
        target: &Target,
        tile: Tile,
        rectangle: &Rectangle,
    ) {
        let declared = self.epilogue.declared();
        kernel.bind(&declared.operands, target.chunking, rectangle.segments.begin);
        kernel.file(declared.shader).declare(&declared);
        let row_sums = rectangle.tiles_n(tile) * rectangle.rows() * 4;
        match self.epilogue.leaves() {
            None => {}
            Some(Leaves::Pairs(_)) => {
                kernel.uint("pair_begin", self.pairs).scratch(Scratch::Pairs);
                self.pairs += rectangle.tiles(tile);
                plan.reserve(Scratch::Pairs, self.pairs * 8);
            }
            Some(Leaves::Scores { .. }) => {
                kernel.scratch(Scratch::Scores).scratch(Scratch::Sums);
                let tile_rows = rectangle.tiles_segment(tile) * rectangle.segments.count;
                plan.reserve(Scratch::Scores, tile_rows * rectangle.quads.len() * 16);
                plan.reserve(Scratch::Sums, row_sums);
            }
            Some(Leaves::RowSums(_)) => {
                kernel.scratch(Scratch::Sums);
                plan.reserve(Scratch::Sums, row_sums);
            }
        }
    }

    /// What follows each rectangle: partial sums of DeepLIFT and of counts go to their matrices.
    fn after(&self, plan: &mut Plan, target: &Target, tile: Tile, rectangle: &Rectangle) {
        match self.epilogue.leaves() {
            Some(Leaves::Scores { scores, sums }) => {
                let seeds = rectangle.segments.begin / sums.cols;
                let end = seeds + rectangle.segments.count;
                let mut kernel = Kernel::new(&[wgsl!("deeplift_scores.wgsl")]);
                kernel.uint("row_begin", seeds).uint("row_end", end);
                kernel.uint("quad_begin", rectangle.quads.start).uint("quads", rectangle.quads.len());
                kernel.uint("tiles", rectangle.tiles_segment(tile)).scratch(Scratch::Scores);
                kernel.write("scores", target.chunking.view(scores, seeds));
                let threads = rectangle.segments.count * rectangle.quads.len();
                plan.push(self.name, kernel, threads.div_ceil(64));
                self.row_sums(plan, target, tile, rectangle, sums, rectangle.quads.start > 0);
            }
            Some(Leaves::RowSums(sums)) => self.row_sums(plan, target, tile, rectangle, sums, true),
            Some(Leaves::Pairs(_)) | None => {}
        }
    }

    /// Adds up what the tiles left of each row of C, which is element [row / S, row mod S] of `sums`, S columns wide.
    fn row_sums(
        &self,
        plan: &mut Plan,
        target: &Target,
        tile: Tile,
        rectangle: &Rectangle,
        sums: Matrix,
        add: bool,
    ) {
        let Segments { begin, rows, count } = rectangle.segments;
        let seeds = begin / sums.cols;
        let samples = begin % sums.cols..begin % sums.cols + rows;
        let quads = samples.end.div_ceil(4) - samples.start / 4;
        let mut kernel = Kernel::new(&[wgsl!("row_sums.wgsl")]);
        kernel.uint("row_begin", seeds).uint("row_end", seeds + count).uint("quads", quads);
        kernel.uint("sample_begin", samples.start).uint("sample_end", samples.end);
        kernel.uint("tiles", rectangle.tiles_n(tile)).scratch(Scratch::Sums);
        kernel.constant("ADD", add).write("sums", target.chunking.view(sums, seeds));
        plan.push(self.name, kernel, (count * quads).div_ceil(64));
    }

    /// What follows the last rectangle: the loss goes to its table.
    fn last(&self, plan: &mut Plan, target: &Target) {
        if let Some(Leaves::Pairs(table)) = self.epilogue.leaves() {
            plan.reduce_pairs(target, self.pairs, table, 0, 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Options, Tuning};
    use super::*;

    #[test]
    fn segments_never_straddle_and_cover_everything() {
        for (range, length, most) in [(0..100, 100, 64), (0..70, 7, 64), (5..70, 7, 192), (3..9, 7, 64)] {
            let mut next = range.start;
            for s in segments(range.clone(), length, most, 16) {
                assert_eq!(s.begin, next);
                assert!(s.begin % length + s.rows <= length);
                assert!(s.count == 1 || (s.rows == length && s.begin % length == 0));
                assert!(s.rows.next_multiple_of(16) * s.count <= most.max(16));
                next += s.rows * s.count;
            }
            assert_eq!(next, range.end);
        }
    }

    #[test]
    fn no_dispatch_of_a_product_takes_long() {
        let target = super::super::target(Tuning::of(Kind::Discrete), 1 << 40, 32 << 10, &Options::default());
        // a training step, a Gram matrix of all genes over many samples, a permutation test, a sum as long as a compendium
        for (m, n, k) in
            [(1024, 22_268, 943), (22_268, 22_268, 4096), (12_900, 22_268, 22_268), (64, 22_268, 200_000)]
        {
            let matrix = |rows, cols| Matrix { id: 0, generation: 0, rows, cols, element: Element::F32 };
            let epilogue = Epilogue::Store { out: matrix(m, n) };
            let (a, b, layout) = (matrix(m, k), matrix(n, k), Layout::Nt);
            let product = Product { name: "test", layout, a, b, operands: Element::F32, epilogue };
            let tile = tile(&product, &target);
            let mut covered = 0;
            for rectangle in rectangles(&product, &target, tile, 1) {
                let columns = n.min(rectangle.quads.end * 4) - rectangle.quads.start * 4;
                let operations = 2 * (rectangle.rows() * columns * k) as u64;
                assert!(operations <= target.longest, "{m} × {n} × {k}: {operations}");
                covered += rectangle.rows() * columns;
            }
            assert_eq!(covered, m * n);
        }
    }
}
