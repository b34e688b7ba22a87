// |e|
fn loss_value(e: vec4f) -> vec4f {
    return abs(e);
}

fn loss_slope(e: vec4f) -> vec4f {
    // not sign(), which may turn NaN into 0
    return select(select(e, vec4f(-1.0), e < vec4f()), vec4f(1.0), e > vec4f());
}
