// scores[k] += Σ over the tiles of seed k, from top to bottom, of what epilogue/deeplift.wgsl left.
// #import shared/place.wgsl
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = workgroup_index(id, count) * 64u + thread;
    let at = place(index);
    if at.row >= params.row_end {
        return;
    }
    let first = (at.row - params.row_begin) * params.tiles;
    var total = score_partial[first * params.quads + at.quad];
    for (var t = 1u; t < params.tiles; t++) {
        total += score_partial[(first + t) * params.quads + at.quad];
    }
    let quad = params.quad_begin + at.quad;
    store_scores(at.row, quad, load_scores(at.row, quad) + total);
}
