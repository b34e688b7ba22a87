// The loss of x̂ = activation(c + bias), its gradient, and one pair of sums a workgroup:
// (Σ loss, Σ |x̂ − x|·unit).
// #import shared/step.wgsl

var<private> sums: vec2f;

struct Fetched {
    bias: vec4f,
    goal: vec4f,
    unit: vec4f,
}

fn fetch(row: u32, quad: u32) -> Fetched {
    return Fetched(load_bias(0u, quad), load_goal(row, quad), load_unit(0u, quad));
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let z = c + at.bias;
    let y = activate(z);
    var e = mask(quad, y - at.goal);
    if row >= step.rows {
        e = vec4f();
    }
    sums += vec2f(dot(loss_value(e), vec4f(1.0)), dot(abs(e), at.unit));
    store_gradient(row, quad, loss_slope(e) * derivative(select(y, z, SLOPE_OF_INPUT)));
}

fn finish(thread: u32) {
    let total = workgroup_sum(thread, sums);
    if thread == 0u {
        pairs[params.pair_begin + tile_index] = total;
    }
}
