// Adam (Kingma & Ba 2015) in PyTorch's form, both moments bias-corrected.
// #import shared/gradient.wgsl
fn epilogue(row: u32, quad: u32, i: u32, j: u32, g: vec4f) {
    let w = load_value(row, quad);
    let d = objective_gradient(g, w);
    let m = params.beta1 * load_first(row, quad) + (1.0 - params.beta1) * d;
    let v = params.beta2 * load_second(row, quad) + (1.0 - params.beta2) * d * d;
    let change = (m / step.correction1) / (sqrt(v / step.correction2) + params.epsilon);
    store_first(row, quad, mask(quad, m));
    store_second(row, quad, mask(quad, v));
    store_value(row, quad, mask(quad, w - step.learning_rate * change));
}

fn finish(thread: u32) {}
