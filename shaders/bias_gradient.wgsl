// Column sums of `params.block_rows` rows of a gradient at a time; split_k_reduce.wgsl adds the blocks and
// runs the update.
// #import shared/grid.wgsl
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = workgroup_index(id, count) * 64u + thread;
    let block = index / params.quads;
    let begin = params.row_begin + block * params.block_rows;
    if begin >= params.row_end {
        return;
    }
    let quad = index % params.quads;
    var total = load_gradient(begin, quad);
    for (var row = begin + 1u; row < min(begin + params.block_rows, params.row_end); row++) {
        total += load_gradient(row, quad);
    }
    partial[(params.block_begin + block) * params.quads + quad] = total;
}
