// The loss of x̂ = activation(c + bias), its gradient, and one pair of sums a workgroup:
// (Σ loss, Σ |x̂ − x|·unit).
// #import shared/step.wgsl

var<private> sums: vec2f;

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f) {
    let y = activate(c + load_bias(0u, quad));
    var e = mask(quad, y - load_goal(row, quad));
    if row >= step.rows {
        e = vec4f();
    }
    sums += vec2f(dot(loss_value(e), vec4f(1.0)), dot(abs(e), load_unit(0u, quad)));
    store_gradient(row, quad, loss_slope(e) * derivative(y));
}

fn finish(thread: u32) {
    let total = workgroup_sum(thread, sums);
    if thread == 0u {
        pairs[params.pair_begin + tile_index] = total;
    }
}
