// What several activations are made of, as in src/device/math.rs, four values at a time.
// #import shared/elementary.wgsl

fn sigmoid(z: vec4f) -> vec4f {
    let e = exponential(-abs(z));
    return select(vec4f(1.0), e, z < vec4f()) / (1.0 + e);
}

// (1 - e^-d)/d for d >= 0, 1 at 0.
fn relative_decay(d: vec4f) -> vec4f {
    let inner = 0.008333334 - d * (0.0013888889 - d * (0.0001984127 - d * 2.4801588e-5));
    let series = 1.0 - d * (0.5 - d * (0.16666667 - d * (0.041666668 - d * inner)));
    let quotient = (1.0 - exponential(-d)) / select(d, vec4f(1.0), d < vec4f(0.5));
    return select(quotient, series, d < vec4f(0.5));
}

// ln(u)/(u - 1), 1 at 1.
fn log_ratio(u: vec4f) -> vec4f {
    let same = u == vec4f(1.0);
    return select(logarithm(u) / select(u - 1.0, vec4f(1.0), same), vec4f(1.0), same);
}
