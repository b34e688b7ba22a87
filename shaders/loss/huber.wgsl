// e²/2 up to |e| = 1, then |e| - 1/2
fn loss_value(e: vec4f) -> vec4f {
    let size = abs(e);
    return select(0.5 * e * e, size - 0.5, size > vec4f(1.0));
}

fn loss_slope(e: vec4f) -> vec4f {
    let below = select(e, vec4f(1.0), e > vec4f(1.0)); // not clamp, which may turn NaN into 1
    return select(below, vec4f(-1.0), below < vec4f(-1.0));
}
