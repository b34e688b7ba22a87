// 1 / (1 + e^-z)
// #import shared/functions.wgsl
fn activate(z: vec4f) -> vec4f {
    return sigmoid(z);
}

fn derivative(kept: vec4f) -> vec4f {
    return kept * (1.0 - kept);
}

fn secant(a: vec4f, b: vec4f) -> vec4f {
    return sigmoid(a) * sigmoid(-b) * relative_decay(a - b);
}
