//! A parameter's gradient and its optimizer step.

use crate::device::cpu::storage::{View, ViewMut};
use crate::device::cpu::{Context, vectorized};
use crate::device::recording::{Step, Update};

/// An [`Update`] with its matrices at hand.
pub struct Rule {
    kind: Kind,
    /// The parameter, and what receives it rounded.
    rounded: Option<(ViewMut, ViewMut)>,
    /// gradient_scale
    scale: f32,
    /// 2α
    decay: f32,
}

enum Kind {
    Store { value: View, out: ViewMut },
    Adam { value: ViewMut, first: ViewMut, second: ViewMut, beta1: f32, beta2: f32, epsilon: f32, step: Step },
    Sgd { value: ViewMut, velocity: ViewMut, momentum: f32, rate: f32 },
}

impl Rule {
    pub fn new(context: &Context, update: &Update) -> Rule {
        let own = |matrix| context.write(matrix);
        let step = *context.step;
        let copy = |value, rounded: Option<_>| rounded.map(|rounded| (own(value), own(rounded)));
        let mut rounded = None;
        let (l2, kind) = match *update {
            Update::Store { value, out, l2 } => {
                (l2, Kind::Store { value: context.read(value), out: own(out) })
            }
            Update::Adam { value, first, second, rounded: to, l2, beta1, beta2, epsilon } => {
                rounded = copy(value, to);
                let [value, first, second] = [value, first, second].map(own);
                (l2, Kind::Adam { value, first, second, beta1, beta2, epsilon, step })
            }
            Update::Sgd { value, velocity, rounded: to, l2, momentum, rate } => {
                rounded = copy(value, to);
                let ([value, velocity], rate) = ([value, velocity].map(own), step.learning_rate * rate);
                (l2, Kind::Sgd { value, velocity, momentum, rate })
            }
        };
        Rule { kind, rounded, scale: step.gradient_scale, decay: 2.0 * l2 }
    }

    /// Takes the summed gradients of one row's elements from column `col` on (and may overwrite them).
    pub fn apply(&self, row: usize, col: usize, gradients: &mut [f32]) {
        let n = gradients.len();
        match self.kind {
            Kind::Store { value, out } => {
                let w = value.loaded(row, col, n);
                vectorized(
                    #[inline(always)]
                    || gradients.iter_mut().zip(w).for_each(|(g, w)| *g = self.d(*g, *w)),
                );
                out.store(row, col, gradients);
            }
            Kind::Adam { value, first, second, beta1, beta2, epsilon, step } => {
                let [w, m, v] = [&value, &first, &second].map(|view| view.floats(row, col, n));
                let size = step.learning_rate / step.correction1;
                let root = 1.0 / step.correction2.sqrt();
                vectorized(
                    #[inline(always)]
                    || {
                        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(gradients) {
                            let d = self.d(*g, *w);
                            *m = beta1 * *m + (1.0 - beta1) * d;
                            *v = beta2 * *v + (1.0 - beta2) * d * d;
                            *w -= size * *m / (v.sqrt() * root + epsilon);
                        }
                    },
                );
            }
            Kind::Sgd { value, velocity, momentum, rate } => {
                let [w, u] = [&value, &velocity].map(|view| view.floats(row, col, n));
                vectorized(
                    #[inline(always)]
                    || {
                        for ((w, u), g) in w.iter_mut().zip(u).zip(gradients) {
                            *u = momentum * *u + self.d(*g, *w);
                            *w -= rate * *u;
                        }
                    },
                );
            }
        }
        if let Some((value, rounded)) = &self.rounded {
            rounded.store(row, col, value.floats(row, col, n));
        }
    }

    #[inline(always)]
    fn d(&self, gradient: f32, value: f32) -> f32 {
        self.scale * gradient + self.decay * value
    }
}
