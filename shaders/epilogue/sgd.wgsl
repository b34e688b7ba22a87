// Stochastic gradient descent with momentum, PyTorch's form.
// #import shared/gradient.wgsl
fn epilogue(row: u32, quad: u32, i: u32, j: u32, g: vec4f) {
    let w = load_value(row, quad);
    let u = params.momentum * load_velocity(row, quad) + objective_gradient(g, w);
    store_velocity(row, quad, mask(quad, u));
    store_value(row, quad, mask(quad, w - step.learning_rate * params.rate * u));
}

fn finish(thread: u32) {}
