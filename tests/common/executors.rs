//! The executors that a test runs on.
#![allow(dead_code)] // a test binary may need one of the two

use genelift::device::Executor;
use genelift::device::cpu::{CpuExecutor, Way};
use genelift::device::gpu::{Choice, GpuExecutor, Options};
use genelift::nn::settings::Precision;

/// The CPU executor and, where there is one, the adapter under test, whose kernels run checked and unchecked.
pub fn executors() -> Vec<Box<dyn Executor>> {
    let cpu = CpuExecutor::open(None).expect("threads can be started");
    let mut all: Vec<Box<dyn Executor>> = vec![Box::new(cpu)];
    for unchecked in [false, true] {
        let gpu = gpu(Options { unchecked: Some(unchecked), ..Options::default() });
        all.extend(gpu.map(|gpu| -> Box<dyn Executor> { Box::new(gpu) }));
    }
    all
}

/// Every executor with each half precision that it has, the CPU's bf16 in every way of this processor.
pub fn in_half() -> Vec<(Box<dyn Executor>, Precision)> {
    let mut all: Vec<_> = executors().into_iter().map(|executor| (executor, Precision::F16)).collect();
    for way in Way::ALL {
        if way.is_here() {
            let cpu = CpuExecutor::open(None).expect("threads can be started").by(way);
            all.push((Box::new(cpu), Precision::Bf16));
        } else {
            eprintln!("NOT RUN: bf16 by {}, which this processor lacks", way.word());
        }
    }
    all
}

/// The adapter under test: GENELIFT_TEST_ADAPTER, else Mesa's software rasterizer. `None`, with a note, where
/// there is none, unless GENELIFT_REQUIRE_GPU=1.
pub fn gpu(options: Options) -> Option<GpuExecutor> {
    let name = std::env::var("GENELIFT_TEST_ADAPTER").unwrap_or_else(|_| "llvmpipe".to_owned());
    match GpuExecutor::open(&Choice::Name(name), options) {
        Ok(executor) => Some(executor),
        Err(error) if std::env::var("GENELIFT_REQUIRE_GPU").is_ok_and(|v| v == "1") => {
            panic!("GENELIFT_REQUIRE_GPU=1, but {error}")
        }
        Err(error) => {
            eprintln!("SKIPPED on the GPU: {error}");
            None
        }
    }
}
