// The loss of x̂ = activation(c + bias), its gradient, and one pair of sums a workgroup:
// (Σ loss, Σ |x̂ − x|·unit).
// #import shared/math.wgsl
// #import shared/step.wgsl

var<private> sums: vec2f;

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f) {
    let y = activate(c + load_bias(0u, quad));
    var e = mask(quad, y - load_goal(row, quad));
    if row >= step.rows {
        e = vec4f();
    }
    // not sign(), which may turn NaN into 0
    let sign = select(select(e, vec4f(-1.0), e < vec4f()), vec4f(1.0), e > vec4f());
    sums += vec2f(dot(select(abs(e), e * e, SQUARED), vec4f(1.0)), dot(abs(e), load_unit(0u, quad)));
    store_gradient(row, quad, select(sign, 2.0 * e, SQUARED) * derivative(y));
}

fn finish(thread: u32) {
    let total = workgroup_sum(thread, sums);
    if thread == 0u {
        pairs[params.pair_begin + tile_index] = total;
    }
}
