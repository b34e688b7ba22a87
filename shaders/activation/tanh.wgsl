// tanh z
// #import shared/functions.wgsl
fn activate(z: vec4f) -> vec4f {
    let e = exponential(-2.0 * abs(z));
    let large = (1.0 - e) / (1.0 + e);
    let s = z * z;
    let small = abs(z)
        * (1.0 - s * (0.33333334 - s * (0.13333334 - s * (0.053968254 - s * 0.021869488))));
    let magnitude = select(large, small, abs(z) < vec4f(0.25));
    return select(magnitude, -magnitude, z < vec4f());
}

fn derivative(kept: vec4f) -> vec4f {
    return 1.0 - kept * kept;
}

fn secant(a: vec4f, b: vec4f) -> vec4f {
    return 4.0 * sigmoid(2.0 * a) * sigmoid(-2.0 * b) * relative_decay(2.0 * (a - b));
}
