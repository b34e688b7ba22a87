//! Products of bf16 in one way of the processor, every layout and stored type.

use genelift::device::cpu::{CpuExecutor, Way};
use genelift::device::recording::{Call, Element, Epilogue, Layout, Product, Step};

use crate::fixture::Fixture;
use crate::sizes::SIZES;

use Element::{Bf16, F32};

/// Stored so or rounded where they are multiplied.
pub fn check(way: Way) {
    let mut device = CpuExecutor::open(Some(2)).expect("threads can be started").by(way);
    for (i, size) in SIZES.into_iter().chain([(270, 530, 397)]).enumerate() {
        for layout in [Layout::Nt, Layout::Nn, Layout::Tn] {
            for (elements, out) in
                [([Bf16, Bf16], Bf16), ([F32, Bf16], F32), ([Bf16, F32], F32), ([F32, F32], F32)]
            {
                let mut fixture = Fixture::new(&mut device, i as u64);
                let [a, b] = fixture.operands(layout, size, elements);
                let out = fixture.zeros(size.0, size.1, out);
                let (operands, epilogue) = (Bf16, Epilogue::Store { out });
                let product = Product { name: "test", layout, a, b, operands, epilogue };
                fixture.run(&[Call::Product(product)], &Step::default());
                fixture.check(&format!("{layout:?} {size:?} {elements:?} by {}", way.word()), out);
            }
        }
    }
}
