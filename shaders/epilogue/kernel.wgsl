// out = linear·c + radial·exp(slope·c + rows[row] + columns[column]), 0 in the rows past the batch
// #import shared/elementary.wgsl
// #import shared/step.wgsl
alias Fetched = vec4f;

fn fetch(row: u32, quad: u32) -> Fetched {
    return vec4f(load_lengths(0u, row / 4u)[row % 4u]) + load_others(0u, quad);
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let near = exponential(min(c * params.slope + at, vec4f()));
    let value = c * params.linear + near * params.radial;
    store_out(row, quad, mask(quad, select(vec4f(), value, row < step.rows)));
}

fn finish(thread: u32) {}
