// ln(1 + e^z); see src/device/activation.rs for the secant
// #import shared/functions.wgsl
fn above(z: vec4f) -> vec4f {
    return select(z, vec4f(), z < vec4f());
}

// ln(1 + e^-|z|)
fn rest(z: vec4f) -> vec4f {
    let e = exponential(-abs(z));
    return e * log_ratio(1.0 + e);
}

fn activate(z: vec4f) -> vec4f {
    return above(z) + rest(z);
}

fn derivative(kept: vec4f) -> vec4f {
    return kept * relative_decay(kept);
}

fn secant(a: vec4f, b: vec4f) -> vec4f {
    let d = a - b;
    let slope = sigmoid(a) * relative_decay(d);
    let t = slope * d;
    let near = t < vec4f(0.5);
    let apart = ((above(a) - above(b)) + (rest(a) - rest(b))) / select(d, vec4f(1.0), near);
    return select(apart, slope * log_ratio(select(vec4f(1.0), 1.0 - t, near)), near);
}
