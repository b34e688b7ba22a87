//! Dimension checks of recorded calls.

use super::recording::{Call, Element, Epilogue, Matrix, Update};

/// Panics with the call's name where shapes do not fit.
pub fn check(call: &Call) {
    match *call {
        Call::Gather { source, index, offset, scale, out } => {
            same("gather", "offset", offset, 1, out.cols);
            same("gather", "scale", scale, 1, out.cols);
            assert_eq!(source.cols, out.cols, "gather: source and out columns");
            if let Some(index) = index {
                assert!(index.rows == 1 && index.element == Element::U32, "gather: index is 1 × n of u32");
            }
        }
        Call::Product(product) => {
            let (m, n, k) = product.dims();
            let other = match product.layout {
                super::recording::Layout::Nt => product.b.cols,
                _ => product.b.rows,
            };
            assert_eq!(k, other, "{}: summed dimension", product.name);
            assert!(m > 0 && n > 0 && k > 0, "{}: empty product", product.name);
            epilogue(product.name, &product.epilogue, m, n);
        }
        Call::BiasGradient { gradient, update } => check_update("bias gradient", &update, 1, gradient.cols),
        Call::Activate { input, out, .. } => same("activate", "out", out, input.rows, input.cols),
        Call::Multipliers { input, reference, out, .. } => {
            same("multipliers", "reference", reference, 1, input.cols);
            same("multipliers", "out", out, input.rows, input.cols);
        }
        Call::Difference { input, reference, out } => {
            same("difference", "reference", reference, 1, input.cols);
            same("difference", "out", out, input.rows, input.cols);
        }
        Call::Seeds { multipliers, average, out, samples } => {
            if let Some(m) = multipliers {
                same("seeds", "multipliers", m, samples, out.cols);
            }
            let rows = if average { samples } else { samples * out.cols };
            assert_eq!(out.rows, rows, "seeds: rows");
        }
        Call::Concrete { logits, out } => {
            same("concrete", "out", out, logits.rows, logits.cols);
            let floats = logits.element == Element::F32 && out.element == Element::F32;
            assert!(floats, "concrete: logits and samples are f32");
        }
        Call::ConcreteGradient { selection, gradient, update } => {
            same("concrete gradient", "gradient", gradient, selection.rows, selection.cols);
            check_update("concrete gradient", &update, selection.rows, selection.cols);
        }
        Call::Largest { input, out } => {
            same("largest", "out", out, input.rows, 1);
            assert!(
                input.cols <= 1 << 24 && out.element == Element::F32,
                "largest: columns are exact in f32"
            );
        }
        Call::SumSquares { table, column, .. } => {
            assert!(column < table.cols, "sum of squares: table column")
        }
    }
}

fn epilogue(name: &str, epilogue: &Epilogue, m: usize, n: usize) {
    match *epilogue {
        Epilogue::Store { out } => same(name, "out", out, m, n),
        Epilogue::Add { out } => {
            same(name, "out", out, m, n);
            assert_eq!(out.element, Element::F32, "{name}: sums are f32");
        }
        Epilogue::Layer { bias, out, .. } => {
            same(name, "bias", bias, 1, n);
            same(name, "out", out, m, n);
        }
        Epilogue::Loss { bias, target, gradient, unit, table, .. } => {
            same(name, "bias", bias, 1, n);
            same(name, "unit", unit, 1, n);
            same(name, "target", target, m, n);
            assert!(table.cols >= 2, "{name}: loss table has two columns");
            if let Some(gradient) = gradient {
                same(name, "gradient", gradient, m, n);
            }
        }
        Epilogue::Update(update) => check_update(name, &update, m, n),
        Epilogue::Derivative { output, out, .. } => {
            same(name, "output", output, m, n);
            same(name, "out", out, m, n);
        }
        Epilogue::Multiply { by, out } => {
            same(name, "out", out, m, n);
            assert!(by.cols == n && m.is_multiple_of(by.rows), "{name}: factor is S × N with S dividing M");
        }
        Epilogue::DeepLift { difference, scores, sums, .. } => {
            let samples = difference.rows;
            assert!(
                difference.cols == n && m.is_multiple_of(samples),
                "{name}: difference is S × N with S dividing M"
            );
            same(name, "scores", scores, m / samples, n);
            same(name, "sums", sums, m / samples, samples);
        }
        Epilogue::Kernel { lengths, others, out, .. } => {
            same(name, "lengths", lengths, 1, m);
            same(name, "others", others, 1, n);
            same(name, "out", out, m, n);
        }
        Epilogue::Count { own, counts, .. } => {
            for (what, matrix) in [("own", own), ("counts", counts)] {
                same(name, what, matrix, 1, m);
                assert_eq!(matrix.element, Element::F32, "{name}: {what} is f32");
            }
        }
    }
}

fn check_update(name: &str, update: &Update, rows: usize, cols: usize) {
    let matrices: &[Matrix] = match update {
        Update::Store { value, out, .. } => &[*value, *out],
        Update::Adam { value, first, second, .. } => &[*value, *first, *second],
        Update::Sgd { value, velocity, .. } => &[*value, *velocity],
    };
    for matrix in matrices {
        same(name, "parameter", *matrix, rows, cols);
        assert_eq!(matrix.element, Element::F32, "{name}: parameters are f32");
    }
}

fn same(name: &str, what: &str, matrix: Matrix, rows: usize, cols: usize) {
    assert!(
        matrix.rows == rows && matrix.cols == cols,
        "{name}: {what} is {} × {}, expected {rows} × {cols}",
        matrix.rows,
        matrix.cols
    );
}
