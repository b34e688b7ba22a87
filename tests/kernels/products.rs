//! The product itself: layouts, element types, sizes around tiles, split-K.

use genelift::device::recording::{Activation, Call, Element, Epilogue, Layout, Product, Step};

use genelift::device::cpu::Way;

use crate::executors;
use crate::fixture::Fixture;
use crate::sizes::SIZES;

use Element::{F16, F32};

fn check(layout: Layout, elements: [Element; 2], operands: Element, out: Element) {
    for mut device in executors() {
        for (i, size) in SIZES.into_iter().enumerate() {
            let mut fixture = Fixture::new(&mut *device, i as u64);
            let [a, b] = fixture.operands(layout, size, elements);
            let out = fixture.zeros(size.0, size.1, out);
            let epilogue = Epilogue::Store { out };
            fixture.run(
                &[Call::Product(Product { name: "test", layout, a, b, operands, epilogue })],
                &Step::default(),
            );
            fixture.check(&format!("{layout:?} {size:?} {elements:?} as {operands:?}"), out);
        }
    }
}

#[test]
fn nt() {
    check(Layout::Nt, [F32, F32], F32, F32);
}

#[test]
fn nn() {
    check(Layout::Nn, [F32, F32], F32, F32);
}

#[test]
fn tn() {
    check(Layout::Tn, [F32, F32], F32, F32);
}

#[test]
fn half_operands() {
    check(Layout::Nt, [F16, F32], F16, F16);
    check(Layout::Nn, [F16, F32], F16, F32);
    check(Layout::Tn, [F16, F16], F16, F32);
}

/// In every way that this processor has; `tests/amx.rs` has its instructions carried out where it lacks them.
#[test]
fn bf16_operands() {
    for way in Way::ALL {
        match way.is_here() {
            true => crate::bf16::check(way),
            false => eprintln!("NOT RUN: this processor has no {}", way.word()),
        }
    }
}

#[test]
fn single_operands_rounded_to_half() {
    check(Layout::Nt, [F32, F32], F16, F32);
}

#[test]
fn mixed_operands_without_rounding() {
    check(Layout::Nn, [F32, F16], F32, F32);
    check(Layout::Tn, [F16, F32], F32, F16);
}

/// A layer's output feeds further products along both of its dimensions: the padding that an epilogue
/// leaves behind (σ(0) is 0.5) must not leak into them.
#[test]
fn padding_stays_zero_through_a_chain() {
    for mut device in executors() {
        for out in [F32, F16] {
            let mut fixture = Fixture::new(&mut *device, 1);
            let (m, n, k) = (13, 17, 21);
            let [a, b] = fixture.operands(Layout::Nt, (m, n, k), [F32, F32]);
            let bias = fixture.random(1, n, F32, 0.5, 1.0);
            let hidden = fixture.zeros(m, n, out);
            let layer = Epilogue::Layer {
                bias,
                activation: Activation::Sigmoid,
                dropout: None,
                kept: None,
                out: hidden,
            };
            let weights = fixture.random(5, n, F32, -1.0, 1.0);
            let [next, gram] = [fixture.zeros(m, 5, F32), fixture.zeros(n, n, F32)];
            let product = |layout, a, b, epilogue| {
                Call::Product(Product { name: "test", layout, a, b, operands: Element::F32, epilogue })
            };
            fixture.run(
                &[
                    product(Layout::Nt, a, b, layer),
                    product(Layout::Nt, hidden, weights, Epilogue::Store { out: next }),
                    product(Layout::Tn, hidden, hidden, Epilogue::Store { out: gram }),
                ],
                &Step { rows: m, ..Step::default() },
            );
            let loose = crate::fixture::tolerance(out);
            fixture.check("hidden", hidden);
            fixture.check_within("next", next, crate::fixture::Tolerance { atol: 2e-3, ..loose });
            fixture.check_within("gram", gram, crate::fixture::Tolerance { atol: 5e-3, ..loose });
        }
    }
}
