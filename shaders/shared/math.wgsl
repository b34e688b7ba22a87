// The functions of src/device/math.rs, four values at a time. ACTIVATION is a constant of the variant.
// #import shared/elementary.wgsl

const SIGMOID = 0u;
const TANH = 1u;
const RELU = 2u;
const LINEAR = 3u;

fn sigmoid(z: vec4f) -> vec4f {
    let e = exponential(-abs(z));
    return select(vec4f(1.0), e, z < vec4f()) / (1.0 + e);
}

fn hyperbolic_tangent(z: vec4f) -> vec4f {
    let e = exponential(-2.0 * abs(z));
    let large = (1.0 - e) / (1.0 + e);
    let s = z * z;
    let small = abs(z)
        * (1.0 - s * (0.33333334 - s * (0.13333334 - s * (0.053968254 - s * 0.021869488))));
    let magnitude = select(large, small, abs(z) < vec4f(0.25));
    return select(magnitude, -magnitude, z < vec4f());
}

fn activate(z: vec4f) -> vec4f {
    if ACTIVATION == SIGMOID {
        return sigmoid(z);
    }
    if ACTIVATION == TANH {
        return hyperbolic_tangent(z);
    }
    if ACTIVATION == RELU {
        return select(z, vec4f(), z < vec4f()); // not max, which may turn NaN into 0
    }
    return z;
}

// f'(z) from y = f(z).
fn derivative(y: vec4f) -> vec4f {
    if ACTIVATION == SIGMOID {
        return y * (1.0 - y);
    }
    if ACTIVATION == TANH {
        return 1.0 - y * y;
    }
    if ACTIVATION == RELU {
        return select(vec4f(), vec4f(1.0), y > vec4f());
    }
    return vec4f(1.0);
}

// (1 - e^-d)/d for d >= 0, 1 at 0.
fn relative_decay(d: vec4f) -> vec4f {
    let inner = 0.008333334 - d * (0.0013888889 - d * (0.0001984127 - d * 2.4801588e-5));
    let series = 1.0 - d * (0.5 - d * (0.16666667 - d * (0.041666668 - d * inner)));
    let quotient = (1.0 - exponential(-d)) / select(d, vec4f(1.0), d < vec4f(0.5));
    return select(quotient, series, d < vec4f(0.5));
}

// DeepLIFT's Rescale multiplier (f(z) - f(z0))/(z - z0), f'(z) where z = z0; see secant in math.rs.
fn secant(z: vec4f, z0: vec4f) -> vec4f {
    let a = select(z0, z, z > z0);
    let b = select(z, z0, z > z0);
    if ACTIVATION == SIGMOID {
        return sigmoid(a) * sigmoid(-b) * relative_decay(a - b);
    }
    if ACTIVATION == TANH {
        return 4.0 * sigmoid(2.0 * a) * sigmoid(-2.0 * b) * relative_decay(2.0 * (a - b));
    }
    if ACTIVATION == RELU {
        let across = a / select(a - b, vec4f(1.0), a == b);
        return select(select(across, vec4f(1.0), b >= vec4f()), vec4f(), a <= vec4f());
    }
    return vec4f(1.0);
}
