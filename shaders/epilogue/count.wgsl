// How many columns of another item than the row's are above the row's own value.
// #import shared/row_sums.wgsl
// #import shared/step.wgsl
alias Fetched = f32;

fn fetch(row: u32, quad: u32) -> Fetched {
    return load_own(0u, row / 4u)[row % 4u];
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let column = vec4u(0u, 1u, 2u, 3u) + quad * 4u;
    let competes = (column < vec4u(step.rows)) & (column + step.first != vec4u(row + params.first));
    row_sums[i] += dot(select(vec4f(), vec4f(1.0), competes & (c > vec4f(at))), vec4f(1.0));
}

fn finish(thread: u32) {
    leave_row_sums(thread);
}
