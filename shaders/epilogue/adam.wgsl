// Adam (Kingma & Ba 2015) in PyTorch's form, both moments bias-corrected.
// #import shared/gradient.wgsl
struct Fetched {
    value: vec4f,
    first: vec4f,
    second: vec4f,
}

fn fetch(row: u32, quad: u32) -> Fetched {
    return Fetched(load_value(row, quad), load_first(row, quad), load_second(row, quad));
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, g: vec4f, at: Fetched) {
    let d = objective_gradient(g, at.value);
    let m = params.beta1 * at.first + (1.0 - params.beta1) * d;
    let v = params.beta2 * at.second + (1.0 - params.beta2) * d * d;
    let change = (m / step.correction1) / (sqrt(v / step.correction2) + params.epsilon);
    store_first(row, quad, mask(quad, m));
    store_second(row, quad, mask(quad, v));
    let w = mask(quad, at.value - step.learning_rate * change);
    store_value(row, quad, w);
    store_rounded(row, quad, w);
}

fn finish(thread: u32) {}
