// e²
fn loss_value(e: vec4f) -> vec4f {
    return e * e;
}

fn loss_slope(e: vec4f) -> vec4f {
    return 2.0 * e;
}
