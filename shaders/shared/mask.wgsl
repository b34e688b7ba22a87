// Zeroes what lies in the padding right of the true columns.
fn mask(quad: u32, v: vec4f) -> vec4f {
    return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) + quad * 4u < vec4u(params.cols));
}
