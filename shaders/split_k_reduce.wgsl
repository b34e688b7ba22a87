// The end of a split product: adds the slices' partial results in order, then runs the same epilogue as an
// unsplit product would.
// #import shared/grid.wgsl
// #import shared/tile.wgsl

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if !locate(workgroup_index(id, count), thread) {
        return;
    }
    let rows = params.segment_rows * params.segments;
    let quads = params.quad_end - params.quad_begin;
    for (var i = 0u; i < TM; i++) {
        for (var j = 0u; j < THREAD_QUADS; j++) {
            if tile_row(i) < row_end && tile_quad(j) < params.quad_end {
                let at = (tile_row(i) - params.m_begin) * quads + tile_quad(j) - params.quad_begin;
                var c = partial[at];
                for (var slice = 1u; slice < params.partials; slice++) {
                    c += partial[slice * rows * quads + at];
                }
                epilogue(tile_row(i), tile_quad(j), i, j, c);
            }
        }
    }
    finish(thread);
}
