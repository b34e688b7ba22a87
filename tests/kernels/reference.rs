//! A recording evaluated in f64 over dense matrices, one formula a call, none of it shared with the
//! executors but the random words.

use std::collections::HashMap;

use genelift::device::activation::SlopeOf;
use genelift::device::random::{dropout_threshold, dropout_words, gumbel_words};
use genelift::device::recording::{
    Call, Dropout, Element, Epilogue, Fold, Layout, Matrix, Product, Step, Update,
};
use half::{bf16, f16};

/// The matrices' values, dense.
#[derive(Default)]
pub struct Reference {
    values: HashMap<u32, Vec<f64>>,
}

/// What a matrix of this type keeps of a value.
pub fn rounded(element: Element, value: f64) -> f64 {
    match element {
        Element::F16 => f16::from_f64(value).to_f64(),
        Element::Bf16 => bf16::from_f32(value as f32).to_f64(),
        _ => value,
    }
}

/// 1/(1 − rate) where the element is kept, 0 where it is dropped.
fn mask(dropout: Option<Dropout>, step: &Step, row: usize, col: usize) -> f64 {
    let Some(Dropout { rate, layer }) = dropout else { return 1.0 };
    let word =
        dropout_words(step.seed, step.step, layer, (step.offset + row) as u32, (col / 4) as u32)[col % 4];
    if word >= dropout_threshold(rate) { 1.0 / (1.0 - f64::from(rate)) } else { 0.0 }
}

impl Reference {
    pub fn set(&mut self, matrix: Matrix, values: Vec<f64>) {
        assert_eq!(values.len(), matrix.rows * matrix.cols);
        let values = values.into_iter().map(|value| rounded(matrix.element, value)).collect();
        self.values.insert(matrix.id, values);
    }

    pub fn get(&self, matrix: Matrix) -> &[f64] {
        &self.values[&matrix.id]
    }

    fn at(&self, matrix: Matrix, row: usize, col: usize) -> f64 {
        self.get(matrix)[row * matrix.cols + col]
    }

    fn put(&mut self, matrix: Matrix, row: usize, col: usize, value: f64) {
        let value = rounded(matrix.element, value);
        self.values.get_mut(&matrix.id).expect("a known matrix")[row * matrix.cols + col] = value;
    }

    /// out[r, c] = f(r, c) for all elements.
    fn fill(&mut self, out: Matrix, f: impl Fn(&Self, usize, usize) -> f64) {
        let values = (0..out.rows * out.cols).map(|i| f(self, i / out.cols, i % out.cols)).collect();
        self.set(out, values);
    }

    pub fn run(&mut self, calls: &[Call], step: &Step) {
        for call in calls {
            self.call(call, step);
        }
    }

    fn call(&mut self, call: &Call, step: &Step) {
        match *call {
            Call::Gather { source, index, offset, scale, out } => self.fill(out, |this, r, c| {
                if r >= step.rows {
                    return 0.0;
                }
                let i = index.map_or(step.first + r, |index| this.at(index, 0, step.first + r) as usize);
                (this.at(source, i, c) - this.at(offset, 0, c)) * this.at(scale, 0, c)
            }),
            Call::Scatter { pairs, packed, offset, scale, out } => {
                let word = |this: &Self, at: usize| this.get(pairs)[at] as u32;
                let head = (packed + 1).div_ceil(pairs.cols) * pairs.cols;
                self.fill(out, |this, r, c| {
                    if r >= step.rows {
                        return 0.0;
                    }
                    let held = word(this, r)..word(this, r + 1);
                    let mut own =
                        held.map(|pair| head + 2 * pair as usize).filter(|at| word(this, *at) as usize == c);
                    let x = own.next().map_or(0.0, |at| f64::from(f32::from_bits(word(this, at + 1))));
                    (x - this.at(offset, 0, c)) * this.at(scale, 0, c)
                });
            }
            Call::Product(ref product) => self.product(product, step),
            Call::BiasGradient { gradient, ref update } => {
                let sums: Vec<f64> = (0..gradient.cols)
                    .map(|c| (0..gradient.rows).map(|r| self.at(gradient, r, c)).sum())
                    .collect();
                self.update(update, &sums, step);
            }
            Call::Update { gradient, ref update } => {
                let values = self.get(gradient).to_vec();
                self.update(update, &values, step);
            }
            Call::Activate { input, activation, out } => {
                self.fill(out, |this, r, c| activation.exact(this.at(input, r, c)));
            }
            Call::Multipliers { input, reference, activation, out } => self.fill(out, |this, r, c| {
                activation.exact_secant(this.at(input, r, c), this.at(reference, 0, c))
            }),
            Call::Difference { input, reference, out } => self.fill(out, |this, r, c| {
                if r < step.rows { this.at(input, r, c) - this.at(reference, 0, c) } else { 0.0 }
            }),
            Call::Seeds { multipliers, average, out, samples } => self.fill(out, |this, r, c| {
                let m = multipliers.map_or(1.0, |m| this.at(m, r % samples, c));
                match average {
                    true => m / out.cols as f64,
                    false if r / samples == c => m,
                    false => 0.0,
                }
            }),
            Call::Concrete { logits, out } => {
                let temperature = f64::from(step.temperature);
                let noisy = |this: &Self, r: usize, c: usize| {
                    let word = gumbel_words(step.seed, step.step, r as u32, (c / 4) as u32)[c % 4];
                    let u = (f64::from(word >> 9) + 0.5) / 8_388_608.0;
                    (this.at(logits, r, c) - (-u.ln()).ln()) / temperature
                };
                let powers: Vec<Vec<f64>> = (0..out.rows)
                    .map(|r| {
                        let row: Vec<f64> = (0..out.cols).map(|c| noisy(self, r, c)).collect();
                        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        row.iter().map(|x| (x - most).exp()).collect()
                    })
                    .collect();
                self.fill(out, |_, r, c| powers[r][c] / powers[r].iter().sum::<f64>());
            }
            Call::ConcreteGradient { selection, gradient, ref update } => {
                let mut all = Vec::new();
                for r in 0..selection.rows {
                    let pairs: Vec<(f64, f64)> = (0..selection.cols)
                        .map(|c| (self.at(selection, r, c), self.at(gradient, r, c)))
                        .collect();
                    let sum: f64 = pairs.iter().map(|(m, d)| m * d).sum();
                    all.extend(pairs.iter().map(|(m, d)| m * (d - sum) / f64::from(step.temperature)));
                }
                self.update(update, &all, step);
            }
            Call::Largest { input, out } => self.fill(out, |this, r, _| {
                let row: Vec<f64> = (0..input.cols).map(|c| this.at(input, r, c)).collect();
                let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                row.iter().position(|x| *x == most).expect("not NaN") as f64
            }),
            Call::SumSquares { input, table, column } => {
                let sum = self.get(input).iter().map(|w| w * w).sum();
                self.put(table, step.slot, column, sum);
            }
        }
    }

    fn product(&mut self, product: &Product, step: &Step) {
        let (m, n, k) = product.dims();
        // both operands as outer × depth
        let operand = |matrix: Matrix, depth_first: bool, outer: usize| -> Vec<f64> {
            (0..outer * k)
                .map(|i| if depth_first { (i % k, i / k) } else { (i / k, i % k) })
                .map(|(r, c)| rounded(product.operands, self.at(matrix, r, c)))
                .collect()
        };
        let a = operand(product.a, product.layout == Layout::Tn, m);
        let b = operand(product.b, product.layout != Layout::Nt, n);
        let mut result = Vec::with_capacity(m * n);
        for a in a.chunks_exact(k) {
            for b in b.chunks_exact(k) {
                result.push(a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>());
            }
        }
        self.epilogue(&product.epilogue, &result, n, step);
    }

    fn epilogue(&mut self, epilogue: &Epilogue, result: &[f64], n: usize, step: &Step) {
        let c = |row: usize, col: usize| result[row * n + col];
        match *epilogue {
            Epilogue::Store { out } => self.fill(out, |_, row, col| c(row, col)),
            Epilogue::Add { out } => self.fill(out, |this, row, col| this.at(out, row, col) + c(row, col)),
            Epilogue::Layer { bias, activation, dropout, kept, out } => {
                if let Some(kept) = kept {
                    self.fill(kept, |this, row, col| c(row, col) + this.at(bias, 0, col));
                }
                self.fill(out, |this, row, col| {
                    activation.exact(c(row, col) + this.at(bias, 0, col)) * mask(dropout, step, row, col)
                });
            }
            Epilogue::Loss { bias, activation, target, loss, gradient, unit, table } => {
                let mut sums = [0.0; 2];
                let mut slopes = vec![0.0; result.len()];
                for row in 0..step.rows {
                    for col in 0..n {
                        let z = c(row, col) + self.at(bias, 0, col);
                        let y = activation.exact(z);
                        let e = y - self.at(target, row, col);
                        sums[0] += loss.exact(e);
                        sums[1] += e.abs() * self.at(unit, 0, col);
                        slopes[row * n + col] = loss.exact_slope(e) * activation.exact_slope(z);
                    }
                }
                self.put(table, step.slot, 0, sums[0]);
                self.put(table, step.slot, 1, sums[1]);
                if let Some(gradient) = gradient {
                    self.set(gradient, slopes);
                }
            }
            Epilogue::Update(ref update) => self.update(update, result, step),
            Epilogue::Derivative { kept, activation, dropout, out } => {
                let scale = match activation.slope_of() {
                    SlopeOf::Output => dropout.map_or(1.0, |dropout| 1.0 - f64::from(dropout.rate)),
                    SlopeOf::Input => 1.0,
                };
                self.fill(out, |this, row, col| {
                    let kept = this.at(kept, row, col) * scale;
                    c(row, col) * activation.exact_derivative(kept) * mask(dropout, step, row, col)
                });
            }
            Epilogue::Multiply { by, out } => {
                self.fill(out, |this, row, col| c(row, col) * this.at(by, row % by.rows, col));
            }
            Epilogue::DeepLift { difference, fold, scores, sums } => {
                let samples = difference.rows;
                let contribution = |this: &Self, seed: usize, sample: usize, col: usize| {
                    c(seed * samples + sample, col) * this.at(difference, sample, col)
                };
                self.fill(scores, |this, seed, col| {
                    let folded = (0..samples).map(|s| contribution(this, seed, s, col)).map(|c| match fold {
                        Fold::Abs => c.abs(),
                        Fold::Signed => c,
                        Fold::Square => c * c,
                    });
                    this.at(scores, seed, col) + folded.sum::<f64>()
                });
                self.fill(sums, |this, seed, s| (0..n).map(|col| contribution(this, seed, s, col)).sum());
            }
            Epilogue::Kernel { mixture, lengths, others, out } => self.fill(out, |this, row, col| {
                let [linear, radial, slope] = [mixture.linear, mixture.radial, mixture.slope].map(f64::from);
                let exponent = slope * c(row, col) + this.at(lengths, 0, row) + this.at(others, 0, col);
                let value = linear * c(row, col) + radial * exponent.min(0.0).exp();
                if row < step.rows { value } else { 0.0 }
            }),
            Epilogue::Count { own, counts, first } => self.fill(counts, |this, _, row| {
                let above = |col: &usize| c(row, *col) > this.at(own, 0, row);
                let others = (0..step.rows).filter(|col| step.first + col != first + row);
                this.at(counts, 0, row) + others.filter(above).count() as f64
            }),
        }
    }

    fn update(&mut self, update: &Update, gradient: &[f64], step: &Step) {
        let d = |this: &Self, value: Matrix, l2: f32| -> Vec<f64> {
            let scale = f64::from(step.gradient_scale);
            let values = this.get(value).iter();
            gradient.iter().zip(values).map(|(g, w)| scale * g + 2.0 * f64::from(l2) * w).collect()
        };
        match *update {
            Update::Store { value, out, l2 } => {
                let d = d(self, value, l2);
                self.set(out, d);
            }
            Update::Adam { value, first, second, rounded, l2, beta1, beta2, epsilon } => {
                let d = d(self, value, l2);
                let [beta1, beta2, epsilon] = [beta1, beta2, epsilon].map(f64::from);
                let blend = |old: &[f64], beta: f64, new: &dyn Fn(f64) -> f64| -> Vec<f64> {
                    old.iter().zip(&d).map(|(old, d)| beta * old + (1.0 - beta) * new(*d)).collect()
                };
                let m = blend(self.get(first), beta1, &|d| d);
                let v = blend(self.get(second), beta2, &|d| d * d);
                let rate = f64::from(step.learning_rate);
                let [c1, c2] = [step.correction1, step.correction2].map(f64::from);
                let w = self.get(value).iter().zip(m.iter().zip(&v));
                let w = w
                    .map(|(w, (m, v))| w - rate * (m / c1) / ((v / c2).sqrt() + epsilon))
                    .collect::<Vec<_>>();
                rounded.into_iter().for_each(|rounded| self.set(rounded, Vec::clone(&w)));
                self.set(value, w);
                self.set(first, m);
                self.set(second, v);
            }
            Update::Sgd { value, velocity, rounded, l2, momentum, rate } => {
                let d = d(self, value, l2);
                let old = self.get(velocity).iter().zip(&d);
                let u: Vec<f64> = old.map(|(u, d)| f64::from(momentum) * u + d).collect();
                let rate = f64::from(step.learning_rate) * f64::from(rate);
                let w = self.get(value).iter().zip(&u).map(|(w, u)| w - rate * u).collect::<Vec<_>>();
                rounded.into_iter().for_each(|rounded| self.set(rounded, Vec::clone(&w)));
                self.set(value, w);
                self.set(velocity, u);
            }
        }
    }
}
