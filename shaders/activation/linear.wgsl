// z
fn activate(z: vec4f) -> vec4f {
    return z;
}

fn derivative(kept: vec4f) -> vec4f {
    return vec4f(1.0);
}

fn secant(a: vec4f, b: vec4f) -> vec4f {
    return vec4f(1.0);
}
