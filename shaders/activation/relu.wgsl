// max(z, 0)
fn activate(z: vec4f) -> vec4f {
    return select(z, vec4f(), z < vec4f()); // not max, which may turn NaN into 0
}

fn derivative(kept: vec4f) -> vec4f {
    return select(vec4f(), vec4f(1.0), kept > vec4f());
}

fn secant(a: vec4f, b: vec4f) -> vec4f {
    let across = a / select(a - b, vec4f(1.0), a == b);
    return select(select(across, vec4f(1.0), b >= vec4f()), vec4f(), a <= vec4f());
}
