// Stochastic gradient descent with momentum, PyTorch's form.
// #import shared/gradient.wgsl
struct Fetched {
    value: vec4f,
    velocity: vec4f,
}

fn fetch(row: u32, quad: u32) -> Fetched {
    return Fetched(load_value(row, quad), load_velocity(row, quad));
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, g: vec4f, at: Fetched) {
    let u = params.momentum * at.velocity + objective_gradient(g, at.value);
    store_velocity(row, quad, mask(quad, u));
    let w = mask(quad, at.value - step.learning_rate * params.rate * u);
    store_value(row, quad, w);
    store_rounded(row, quad, w);
}

fn finish(thread: u32) {}
