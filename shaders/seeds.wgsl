// The rows that DeepLIFT's chain starts from: out[k·S + s, j] = δ(j, k)·m[s, k], or m[s, j]/K with AVERAGE.
// #import shared/elementwise.wgsl
// #import shared/mask.wgsl
fn element(at: Place) {
    var m = vec4f(1.0);
    if MULTIPLIED {
        m = load_multipliers(at.row % params.samples, at.quad);
    }
    if AVERAGE {
        m /= f32(params.cols);
    } else {
        let seed = vec4u(at.row / params.samples);
        m = select(vec4f(), m, vec4u(0u, 1u, 2u, 3u) + at.quad * 4u == seed);
    }
    store_out(at.row, at.quad, mask(at.quad, m));
}
