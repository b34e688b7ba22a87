//! The executors that a test runs on.

use genelift::device::Executor;
use genelift::device::cpu::CpuExecutor;

/// The CPU executor.
pub fn executors() -> Vec<Box<dyn Executor>> {
    vec![Box::new(CpuExecutor::open(None).expect("threads can be started"))]
}
