// z / (1 + e^-z); its slope is told by z
// #import shared/functions.wgsl
fn activate(z: vec4f) -> vec4f {
    return z * sigmoid(z);
}

fn derivative(kept: vec4f) -> vec4f {
    return sigmoid(kept) * (1.0 + kept * sigmoid(-kept));
}

fn secant(a: vec4f, b: vec4f) -> vec4f {
    return sigmoid(b) + a * sigmoid(a) * sigmoid(-b) * relative_decay(a - b);
}
