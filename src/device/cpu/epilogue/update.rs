//! A parameter's gradient and its optimizer step.

use crate::device::cpu::storage::{View, WIDTH};
use crate::device::cpu::{Context, vectorized};
use crate::device::recording::{Step, Update};

/// An [`Update`] with its matrices at hand.
pub struct Rule {
    kind: Kind,
    value: View,
    /// gradient_scale
    scale: f32,
    /// 2α
    decay: f32,
}

enum Kind {
    Store { out: View },
    Adam { first: View, second: View, beta1: f32, beta2: f32, epsilon: f32, step: Step },
    Sgd { velocity: View, momentum: f32, rate: f32 },
}

impl Rule {
    pub fn new(context: &Context, update: &Update) -> Rule {
        let view = |matrix| context.view(matrix);
        let step = *context.step;
        let (value, l2, kind) = match *update {
            Update::Store { value, out, l2 } => (value, l2, Kind::Store { out: view(out) }),
            Update::Adam { value, first, second, l2, beta1, beta2, epsilon } => {
                let (first, second) = (view(first), view(second));
                (value, l2, Kind::Adam { first, second, beta1, beta2, epsilon, step })
            }
            Update::Sgd { value, velocity, l2, momentum, rate } => {
                let rate = step.learning_rate * rate;
                (value, l2, Kind::Sgd { velocity: view(velocity), momentum, rate })
            }
        };
        Rule { kind, value: view(value), scale: step.gradient_scale, decay: 2.0 * l2 }
    }

    /// Takes the summed gradients of one row's elements from column `col` on, at most [`WIDTH`] of them.
    pub fn apply(&self, row: usize, col: usize, gradients: &[f32]) {
        let n = gradients.len();
        let (mut w, mut d) = ([0.0f32; WIDTH], [0.0f32; WIDTH]);
        let (w, d) = (&mut w[..n], &mut d[..n]);
        self.value.load(row, col, w);
        vectorized(
            #[inline(always)]
            || {
                for ((d, g), w) in d.iter_mut().zip(gradients).zip(&*w) {
                    *d = self.scale * g + self.decay * w;
                }
            },
        );
        match self.kind {
            Kind::Store { out } => out.store(row, col, d),
            Kind::Adam { first, second, beta1, beta2, epsilon, step } => {
                let (mut m, mut v) = ([0.0f32; WIDTH], [0.0f32; WIDTH]);
                let (m, v) = (&mut m[..n], &mut v[..n]);
                first.load(row, col, m);
                second.load(row, col, v);
                let size = step.learning_rate / step.correction1;
                let root = step.correction2.sqrt();
                vectorized(
                    #[inline(always)]
                    || {
                        for (((w, m), v), d) in w.iter_mut().zip(&mut *m).zip(&mut *v).zip(&*d) {
                            *m = beta1 * *m + (1.0 - beta1) * d;
                            *v = beta2 * *v + (1.0 - beta2) * d * d;
                            *w -= size * *m / (v.sqrt() / root + epsilon);
                        }
                    },
                );
                first.store(row, col, m);
                second.store(row, col, v);
                self.value.store(row, col, w);
            }
            Kind::Sgd { velocity, momentum, rate } => {
                let mut u = [0.0f32; WIDTH];
                let u = &mut u[..n];
                velocity.load(row, col, u);
                vectorized(
                    #[inline(always)]
                    || {
                        for ((w, u), d) in w.iter_mut().zip(&mut *u).zip(&*d) {
                            *u = momentum * *u + d;
                            *w -= rate * *u;
                        }
                    },
                );
                velocity.store(row, col, u);
                self.value.store(row, col, w);
            }
        }
    }
}
