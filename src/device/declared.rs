//! What every call reads and writes, declared once. From here follow the checks of shapes, which matrices may be one and the same, the views that
//! the CPU lends to a kernel, and on a GPU the shader, what it binds and its arguments.

use super::activation::SlopeOf;
use super::pairs;
use super::random::dropout_threshold;
use super::recording::{Activation, Call, Dropout, Element, Epilogue, Fold, Matrix, Update};
use super::wgsl;

/// A kernel, or what becomes of a product's tile.
#[derive(Debug)]
pub(crate) struct Declared {
    /// Its file under `shaders/`.
    pub shader: &'static str,
    /// Files of functions that it calls.
    pub functions: Vec<&'static str>,
    /// What it reads and writes, by the names that the shader knows.
    pub operands: Vec<Operand>,
    /// Constants of the variant, as WGSL has them.
    pub constants: Vec<(&'static str, String)>,
    /// Arguments.
    pub numbers: Vec<(&'static str, Number)>,
}

/// A matrix that a kernel reads or writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand {
    /// Of `load_NAME` and `store_NAME`.
    pub name: &'static str,
    /// Absent in some variants: loads give zeros, stores do nothing.
    pub matrix: Option<Matrix>,
    /// How it lies to the result.
    pub rows: Rows,
    /// Whether it is written (and may be read).
    pub write: bool,
    /// Whether it has to be f32.
    pub single: bool,
}

/// How an operand's rows and columns follow those of the result, M × N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// M × N, element by element: one that is only read may be the one that is written.
    Same,
    /// 1 × N
    One,
    /// S × N, row mod S, S dividing M
    Cycle,
    /// 1 × M: a value a row
    Across,
    /// M × any: a row a row
    Whole,
    /// As the call says.
    Other,
}

/// An argument of a kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Uint(usize),
    /// All 32 bits of it.
    Word(u32),
    Float(f32),
}

/// What the tiles of a product leave for a later kernel, which writes these matrices.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Leaves {
    /// A pair of sums a tile, summed to two columns of `Step::slot`'s row of a table.
    Pairs(Matrix),
    /// Sums over the tile's columns: element [row / S, row mod S] of a matrix of S columns, added to it.
    RowSums(Matrix),
    /// Both sums over rows, added to `scores`, and over columns, which become `sums`; no tile holds rows of two of them.
    Scores { scores: Matrix, sums: Matrix },
}

impl Leaves {
    /// What is written.
    pub fn matrices(self) -> Vec<Matrix> {
        match self {
            Leaves::Pairs(matrix) | Leaves::RowSums(matrix) => vec![matrix],
            Leaves::Scores { scores, sums } => vec![scores, sums],
        }
    }
}

impl Operand {
    fn new(name: &'static str, matrix: Matrix, rows: Rows) -> Operand {
        Operand { name, matrix: Some(matrix), rows, write: false, single: false }
    }

    fn written(self) -> Operand {
        Operand { write: true, ..self }
    }

    fn single(self) -> Operand {
        Operand { single: true, ..self }
    }
}

fn same(name: &'static str, matrix: Matrix) -> Operand {
    Operand::new(name, matrix, Rows::Same)
}

fn one(name: &'static str, matrix: Matrix) -> Operand {
    Operand::new(name, matrix, Rows::One)
}

fn out(matrix: Matrix) -> Operand {
    same("out", matrix).written()
}

impl Declared {
    fn new(shader: &'static str, operands: Vec<Operand>) -> Declared {
        Declared { shader, functions: Vec::new(), operands, constants: Vec::new(), numbers: Vec::new() }
    }

    fn functions(mut self, file: &'static str) -> Declared {
        self.functions.push(file);
        self
    }

    fn constant(mut self, name: &'static str, value: impl ToString) -> Declared {
        self.constants.push((name, value.to_string()));
        self
    }

    fn number(mut self, name: &'static str, value: Number) -> Declared {
        self.numbers.push((name, value));
        self
    }

    fn float(self, name: &'static str, value: f32) -> Declared {
        self.number(name, Number::Float(value))
    }

    /// Of an activation's slope, and what it is told by.
    fn slope(self, activation: Activation) -> Declared {
        let of_input = activation.slope_of() == SlopeOf::Input;
        self.functions(activation.shader()).constant("SLOPE_OF_INPUT", of_input)
    }

    /// Of `shaders/shared/dropout.wgsl`.
    fn dropout(self, dropout: Option<Dropout>) -> Declared {
        let (rate, layer) = dropout.map_or((0.0, 0), |d| (d.rate, d.layer));
        self.constant("DROPOUT", dropout.is_some())
            .number("dropout_layer", Number::Word(layer.wrapping_mul(0x9E37_79B9)))
            .number("dropout_threshold", Number::Word(dropout_threshold(rate)))
            .float("dropout_keep", 1.0 - rate)
    }
}

impl Update {
    fn declared(&self) -> Declared {
        let own = |name, matrix| same(name, matrix).single();
        let copy =
            |value, rounded| Operand { matrix: rounded, single: false, ..own("rounded", value).written() };
        match *self {
            Update::Store { value, out, l2 } => {
                let operands = vec![own("value", value), own("out", out).written()];
                Declared::new(wgsl!("epilogue/gradient.wgsl"), operands).float("l2", l2)
            }
            Update::Adam { value, first, second, rounded, l2, beta1, beta2, epsilon } => {
                let operands = [("value", value), ("first", first), ("second", second)];
                let mut operands = operands.map(|(name, matrix)| own(name, matrix).written()).to_vec();
                operands.push(copy(value, rounded));
                Declared::new(wgsl!("epilogue/adam.wgsl"), operands)
                    .float("l2", l2)
                    .float("beta1", beta1)
                    .float("beta2", beta2)
                    .float("epsilon", epsilon)
            }
            Update::Sgd { value, velocity, rounded, l2, momentum, rate } => {
                let operands = [("value", value), ("velocity", velocity)];
                let mut operands = operands.map(|(name, matrix)| own(name, matrix).written()).to_vec();
                operands.push(copy(value, rounded));
                Declared::new(wgsl!("epilogue/sgd.wgsl"), operands)
                    .float("l2", l2)
                    .float("momentum", momentum)
                    .float("rate", rate)
            }
        }
    }
}

impl Epilogue {
    /// What becomes of a tile.
    pub(crate) fn declared(&self) -> Declared {
        match *self {
            Epilogue::Store { out: to } => Declared::new(wgsl!("epilogue/store.wgsl"), vec![out(to)]),
            Epilogue::Add { out: to } => Declared::new(wgsl!("epilogue/add.wgsl"), vec![out(to).single()]),
            Epilogue::Layer { bias, activation, dropout, kept, out: to } => {
                let kept = Operand { name: "kept", matrix: kept, ..out(to) };
                Declared::new(wgsl!("epilogue/layer.wgsl"), vec![one("bias", bias), kept, out(to)])
                    .functions(activation.shader())
                    .dropout(dropout)
            }
            Epilogue::Loss { bias, activation, target, loss, gradient, unit, .. } => {
                let gradient = Operand { name: "gradient", matrix: gradient, ..out(target) };
                let operands = vec![one("bias", bias), same("goal", target), one("unit", unit), gradient];
                Declared::new(wgsl!("epilogue/loss.wgsl"), operands)
                    .slope(activation)
                    .functions(loss.shader())
            }
            Epilogue::Update(update) => update.declared(),
            Epilogue::Derivative { kept, activation, dropout, out: to } => {
                Declared::new(wgsl!("epilogue/derivative.wgsl"), vec![same("kept", kept), out(to)])
                    .slope(activation)
                    .dropout(dropout)
            }
            Epilogue::Multiply { by, out: to } => {
                let operands = vec![Operand::new("by", by, Rows::Cycle), out(to)];
                Declared::new(wgsl!("epilogue/multiply.wgsl"), operands)
                    .number("samples", Number::Uint(by.rows))
            }
            Epilogue::DeepLift { difference, fold, .. } => {
                let fold = match fold {
                    Fold::Abs => "0u",
                    Fold::Signed => "1u",
                    Fold::Square => "2u",
                };
                let operands = vec![Operand::new("difference", difference, Rows::Cycle)];
                Declared::new(wgsl!("epilogue/deeplift.wgsl"), operands)
                    .constant("FOLD", fold)
                    .number("samples", Number::Uint(difference.rows))
            }
            Epilogue::Count { own, first, .. } => {
                let operands = vec![Operand::new("own", own, Rows::Across).single()];
                Declared::new(wgsl!("epilogue/count.wgsl"), operands).number("first", Number::Uint(first))
            }
            Epilogue::Kernel { mixture, lengths, others, out: to } => {
                let operands =
                    vec![Operand::new("lengths", lengths, Rows::Across), one("others", others), out(to)];
                Declared::new(wgsl!("epilogue/kernel.wgsl"), operands)
                    .float("linear", mixture.linear)
                    .float("radial", mixture.radial)
                    .float("slope", mixture.slope)
            }
        }
    }

    /// What tiles leave for a later kernel.
    pub(crate) fn leaves(&self) -> Option<Leaves> {
        match *self {
            Epilogue::Loss { table, .. } => Some(Leaves::Pairs(table)),
            Epilogue::DeepLift { scores, sums, .. } => Some(Leaves::Scores { scores, sums }),
            Epilogue::Count { counts, .. } => Some(Leaves::RowSums(counts)),
            _ => None,
        }
    }
}

impl Call {
    /// The kernel; of a product, what becomes of its tiles, and its operands. M × N, for the operands' shapes, is
    /// [`Call::result`].
    pub(crate) fn declared(&self) -> Declared {
        let other = |name, matrix| Operand::new(name, matrix, Rows::Other);
        let whole = |name, matrix| Operand::new(name, matrix, Rows::Whole);
        match *self {
            Call::Product(product) => {
                let mut declared = product.epilogue.declared();
                declared.operands.extend([other("a", product.a), other("b", product.b)]);
                declared
            }
            Call::Gather { source, index, offset, scale, out: to } => {
                let index = Operand { name: "index", matrix: index, ..other("index", source) };
                let operands =
                    vec![other("source", source), index, one("offset", offset), one("scale", scale), out(to)];
                Declared::new(wgsl!("gather.wgsl"), operands)
            }
            Call::Scatter { pairs, offset, scale, out: to, .. } => {
                let operands =
                    vec![other("pairs", pairs), one("offset", offset), one("scale", scale), out(to)];
                Declared::new(wgsl!("scatter.wgsl"), operands)
            }
            Call::BiasGradient { gradient, update } => {
                let mut declared = update.declared();
                declared.operands.push(other("gradient", gradient));
                Declared { shader: wgsl!("bias_gradient.wgsl"), ..declared }
            }
            Call::Update { gradient, update } => {
                let mut declared = update.declared();
                declared.operands.push(same("gradient", gradient).single());
                Declared { shader: wgsl!("update.wgsl"), ..declared }
            }
            Call::Activate { input, activation, out: to } => {
                Declared::new(wgsl!("activate.wgsl"), vec![same("input", input), out(to)])
                    .functions(activation.shader())
            }
            Call::Multipliers { input, reference, activation, out: to } => {
                let operands = vec![same("input", input), one("reference", reference), out(to)];
                Declared::new(wgsl!("multipliers.wgsl"), operands).functions(activation.shader())
            }
            Call::Difference { input, reference, out: to } => {
                let operands = vec![same("input", input), one("reference", reference), out(to)];
                Declared::new(wgsl!("difference.wgsl"), operands)
            }
            Call::Seeds { multipliers, average, out: to, samples } => {
                let cycle = Operand::new("multipliers", to, Rows::Cycle);
                let operands = vec![Operand { matrix: multipliers, ..cycle }, out(to)];
                Declared::new(wgsl!("seeds.wgsl"), operands)
                    .constant("MULTIPLIED", multipliers.is_some())
                    .constant("AVERAGE", average)
                    .number("samples", Number::Uint(samples))
            }
            Call::Concrete { logits, out: to } => Declared::new(
                wgsl!("concrete.wgsl"),
                vec![whole("logits", logits).single(), out(to).single()],
            ),
            Call::ConcreteGradient { selection, gradient, update } => {
                let mut declared = update.declared();
                declared.operands.extend([whole("selection", selection), whole("gradient", gradient)]);
                Declared { shader: wgsl!("concrete_gradient.wgsl"), ..declared }
            }
            Call::Largest { input, out: to } => {
                let operands = vec![whole("input", input), out(to).single()];
                Declared::new(wgsl!("largest.wgsl"), operands).number("input_cols", Number::Uint(input.cols))
            }
            Call::SumSquares { input, table, .. } => {
                let table = other("table", table).written().single();
                Declared::new(wgsl!("sum_squares.wgsl"), vec![other("input", input), table])
            }
        }
    }

    /// The rows and columns that operands are told by.
    pub(crate) fn result(&self) -> (usize, usize) {
        match *self {
            Call::Product(product) => {
                let (m, n, _) = product.dims();
                (m, n)
            }
            Call::BiasGradient { gradient, .. } => (1, gradient.cols),
            Call::Update { gradient, .. } => (gradient.rows, gradient.cols),
            Call::ConcreteGradient { selection, .. } => (selection.rows, selection.cols),
            Call::SumSquares { input, .. } => (input.rows, input.cols),
            Call::Gather { out, .. }
            | Call::Scatter { out, .. }
            | Call::Activate { out, .. }
            | Call::Multipliers { out, .. }
            | Call::Difference { out, .. }
            | Call::Seeds { out, .. }
            | Call::Concrete { out, .. }
            | Call::Largest { out, .. } => (out.rows, out.cols),
        }
    }

    /// What tiles leave for a later kernel.
    pub(crate) fn leaves(&self) -> Option<Leaves> {
        match self {
            Call::Product(product) => product.epilogue.leaves(),
            _ => None,
        }
    }

    /// Every matrix, and whether it is written.
    pub(crate) fn matrices(&self) -> Vec<(Matrix, bool)> {
        let operands = self.declared().operands;
        let own = operands.iter().filter_map(|operand| Some((operand.matrix?, operand.write)));
        let left = self.leaves().map(Leaves::matrices).unwrap_or_default();
        own.chain(left.into_iter().map(|matrix| (matrix, true))).collect()
    }
}

/// Refuses what does not fit together, and a matrix that is written while it is read elsewhere.
///
/// # Panics
/// With the call's name, what it is about and the sizes.
pub(crate) fn check(call: &Call) {
    let (name, (m, n)) = (call.describe(), call.result());
    let declared = call.declared();
    let operands: Vec<(Operand, Matrix)> =
        declared.operands.iter().filter_map(|operand| Some((*operand, operand.matrix?))).collect();
    for (operand, matrix) in &operands {
        operand.check(&name, *matrix, (m, n));
    }
    for (i, (operand, matrix)) in operands.iter().enumerate().filter(|(_, (operand, _))| operand.write) {
        for (j, (other, matrix2)) in operands.iter().enumerate() {
            let apart = i == j || matrix.id != matrix2.id || matrix.generation != matrix2.generation;
            let by_element = operand.rows == Rows::Same && other.rows == Rows::Same && !other.write;
            assert!(apart || by_element, "{name}: {} is {} too", operand.name, other.name);
        }
    }
    for left in call.leaves().map(Leaves::matrices).unwrap_or_default() {
        assert_eq!(left.element, Element::F32, "{name}: sums are f32");
        let apart =
            |(_, matrix): &(Operand, Matrix)| (matrix.id, matrix.generation) != (left.id, left.generation);
        assert!(operands.iter().all(apart), "{name}: what is summed up is an operand too");
    }
    own(call, &name, (m, n));
}

impl Operand {
    fn check(&self, name: &str, matrix: Matrix, (m, n): (usize, usize)) {
        let (rows, cols) = (matrix.rows, matrix.cols);
        let fits = match self.rows {
            Rows::Same => (rows, cols) == (m, n),
            Rows::One => (rows, cols) == (1, n),
            Rows::Cycle => cols == n && rows > 0 && m.is_multiple_of(rows),
            Rows::Across => (rows, cols) == (1, m),
            Rows::Whole => rows == m,
            Rows::Other => true,
        };
        assert!(
            fits,
            "{name}: {} is {rows} × {cols}, which does not fit {m} × {n} ({:?})",
            self.name, self.rows
        );
        assert!(!self.single || matrix.element == Element::F32, "{name}: {} has to be f32", self.name);
    }
}

/// What no declaration tells.
fn own(call: &Call, name: &str, (m, n): (usize, usize)) {
    match *call {
        Call::Product(product) => {
            let k = product.dims().2;
            let other = match product.layout {
                super::recording::Layout::Nt => product.b.cols,
                _ => product.b.rows,
            };
            assert!(m > 0 && n > 0 && k > 0, "{name}: nothing to do");
            assert_eq!(k, other, "{name}: summed dimension");
            match product.epilogue {
                Epilogue::Loss { table, .. } => assert!(table.cols >= 2, "{name}: the table has two columns"),
                Epilogue::DeepLift { difference, scores, sums, .. } => {
                    let (seeds, samples) = (m / difference.rows, difference.rows);
                    assert_eq!((scores.rows, scores.cols), (seeds, n), "{name}: scores");
                    assert_eq!((sums.rows, sums.cols), (seeds, samples), "{name}: sums");
                }
                Epilogue::Count { counts, .. } => {
                    assert_eq!((counts.rows, counts.cols), (1, m), "{name}: counts");
                }
                _ => {}
            }
        }
        Call::Gather { source, index, .. } => {
            assert_eq!(source.cols, n, "{name}: columns of the source");
            let fits = |index: Matrix| index.rows == 1 && index.element == Element::U32;
            assert!(index.is_none_or(fits), "{name}: the index is 1 × n of u32");
        }
        Call::Scatter { pairs, packed, .. } => {
            let fits = pairs.element == Element::U32 && pairs.cols == pairs::WIDTH && packed >= m;
            assert!(fits && pairs.rows >= pairs::heading(packed), "{name}: pairs of {packed} rows");
        }
        Call::Seeds { multipliers, average, samples, .. } => {
            assert_eq!(m, if average { samples } else { samples * n }, "{name}: rows");
            assert!(multipliers.is_none_or(|m| m.rows == samples), "{name}: a multiplier a sample");
        }
        Call::Concrete { logits, .. } => assert_eq!(logits.cols, n, "{name}: logits"),
        Call::ConcreteGradient { gradient, .. } => assert_eq!(gradient.cols, n, "{name}: gradient"),
        Call::Largest { input, .. } => {
            assert!(n == 1 && input.cols <= 1 << 24, "{name}: columns are exact in f32");
        }
        Call::SumSquares { table, column, .. } => assert!(column < table.cols, "{name}: the table's column"),
        Call::BiasGradient { .. }
        | Call::Update { .. }
        | Call::Activate { .. }
        | Call::Multipliers { .. }
        | Call::Difference { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::{Activation, Layout, Recording};

    fn matrix(id: u32, rows: usize, cols: usize) -> Matrix {
        Matrix { id, generation: 1, rows, cols, element: Element::F32 }
    }

    fn refused(call: Call) -> String {
        let pushed = std::panic::catch_unwind(|| Recording::new().push(call));
        *pushed.expect_err("refused").downcast::<String>().expect("a message")
    }

    #[test]
    fn what_is_written_is_not_read_elsewhere() {
        let [a, b, square] = [matrix(0, 8, 8), matrix(1, 8, 8), matrix(2, 8, 8)];
        let product = |a, b, epilogue| {
            let mut recording = Recording::new();
            recording.product("test", Layout::Nn, a, b, Element::F32, epilogue);
            recording.calls()[0]
        };
        product(a, b, Epilogue::Store { out: square });
        for out in [a, b] {
            let epilogue = Epilogue::Store { out };
            let product = super::super::recording::Product {
                name: "test",
                layout: Layout::Nn,
                a,
                b,
                operands: Element::F32,
                epilogue,
            };
            let message = refused(Call::Product(product));
            assert!(message.contains("out is") && message.contains("test 8 × 8"), "{message}");
        }
        // element by element a matrix may take the place of another
        let mut recording = Recording::new();
        recording.push(Call::Activate { input: a, activation: Activation::Tanh, out: a });
        let row = matrix(3, 1, 8);
        recording.push(Call::Difference { input: a, reference: row, out: a });
        // but not of one row that all are compared with, nor of a row that is read as a whole
        let one = matrix(4, 1, 8);
        let message = refused(Call::Difference { input: one, reference: row, out: row });
        assert!(message.contains("out is reference too"), "{message}");
        assert!(refused(Call::Concrete { logits: a, out: a }).contains("out is logits too"));
        let update = Update::Adam {
            value: a,
            first: b,
            second: b,
            rounded: None,
            l2: 0.0,
            beta1: 0.9,
            beta2: 0.9,
            epsilon: 1e-7,
        };
        let message = refused(Call::ConcreteGradient { selection: square, gradient: square, update });
        assert!(message.contains("first is second too"), "{message}");
        let column = matrix(5, 8, 1);
        assert!(refused(Call::Largest { input: column, out: column }).contains("out is input too"));
        // the same number in another executor is another matrix
        let other = Matrix { generation: 2, ..row };
        recording.push(Call::Difference { input: one, reference: other, out: row });
    }

    #[test]
    fn shapes_are_told() {
        let [a, b] = [matrix(0, 8, 6), matrix(1, 6, 8)];
        let message = refused(Call::Activate { input: a, activation: Activation::Relu, out: b });
        assert!(message.contains("input is 8 × 6, which does not fit 6 × 8"), "{message}");
        let half = Matrix { element: Element::F16, ..matrix(2, 8, 1) };
        assert!(refused(Call::Largest { input: a, out: half }).contains("out has to be f32"));
    }
}
