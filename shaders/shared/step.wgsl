// device::recording::Step, written before each run.
struct Step {
    rows: u32,
    first: u32,
    slot: u32,
    step: u32,
    seed_low: u32,
    seed_high: u32,
    learning_rate: f32,
    gradient_scale: f32,
    correction1: f32,
    correction2: f32,
    temperature: f32,
    offset: u32,
}
@group(1) @binding(0) var<uniform> step: Step;
