//! Every kernel on every executor against a naive reference in f64, at awkward sizes.
//!
//! [`reference`] evaluates a call with plain loops; [`fixture`] fills matrices, runs both and compares. An
//! executor joins the tests by joining [`executors`].

mod elementwise;
mod epilogues;
mod execution;
mod fixture;
mod products;
mod reference;

use genelift::device::Executor;
use genelift::device::cpu::CpuExecutor;

/// The executors under test.
fn executors() -> Vec<Box<dyn Executor>> {
    let cpu = |threads| -> Box<dyn Executor> {
        Box::new(CpuExecutor::open(Some(threads)).expect("threads can be started"))
    };
    vec![cpu(1), cpu(2)]
}
