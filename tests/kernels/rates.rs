//! Rates of the GPU's products, checked nowhere: `cargo test --release --test kernels rates -- --ignored
//! --nocapture`.

use std::time::Instant;

use genelift::device::Executor;
use genelift::device::gpu::{Options, Tile};
use genelift::device::recording::{Element, Epilogue, Layout, Product, Recording, Step};

#[test]
#[ignore = "a measurement"]
fn rates() {
    let (m, n, k) = (256, 2048, 512);
    for tile in Tile::ALL {
        let options = Options { tile: Some(tile), ..Options::default() };
        let Some(mut gpu) = crate::gpu(options) else { return };
        for layout in [Layout::Nt, Layout::Nn, Layout::Tn] {
            gpu.reset();
            let mut matrix = |rows, cols| gpu.matrix("rate", rows, cols, Element::F32).expect("room");
            let a = if layout == Layout::Tn { matrix(k, m) } else { matrix(m, k) };
            let b = if layout == Layout::Nt { matrix(n, k) } else { matrix(k, n) };
            let epilogue = Epilogue::Store { out: matrix(m, n) };
            let mut recording = Recording::new();
            recording.push(genelift::device::recording::Call::Product(Product {
                name: "rate",
                layout,
                a,
                b,
                half: false,
                epilogue,
            }));
            let start = Instant::now();
            let program = gpu.compile(&recording).expect("compiled");
            let compiled = start.elapsed().as_secs_f64();
            let mut best = f64::INFINITY;
            for _ in 0..4 {
                let start = Instant::now();
                gpu.run(program, &Step::default()).expect("run");
                gpu.wait().expect("finished");
                best = best.min(start.elapsed().as_secs_f64());
            }
            let rate = 2e-9 * (m * n * k) as f64 / best;
            println!("{layout:?} {tile:?}: {rate:.2} GFLOP/s, compiled in {compiled:.3} s");
        }
    }
}
