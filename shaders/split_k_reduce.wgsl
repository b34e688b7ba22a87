// The end of a split product: adds the slices' partial results in order, then runs the same epilogue as an
// unsplit product would. What a thread sums travels together: one load after the other would take as many times as long as memory
// takes to answer.
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
    let quads = params.quad_end - params.quad_begin;
    let slice = params.segment_rows * params.segments * quads;
    var at: array<u32, TM * THREAD_QUADS>;
    var c: array<vec4f, TM * THREAD_QUADS>;
    var fetched: array<Fetched, TM * THREAD_QUADS>;
    for (var i = 0u; i < TM; i++) { // unrolled
        for (var j = 0u; j < THREAD_QUADS; j++) { // unrolled
            let row = min(tile_row(i), row_end - 1u) - params.m_begin;
            at[i * THREAD_QUADS + j] = row * quads + min(tile_quad(j), params.quad_end - 1u) - params.quad_begin;
            c[i * THREAD_QUADS + j] = partial[at[i * THREAD_QUADS + j]];
            fetched[i * THREAD_QUADS + j] = fetch_inside(i, j);
        }
    }
    for (var s = 1u; s < params.partials; s++) {
        for (var i = 0u; i < TM * THREAD_QUADS; i++) { // unrolled
            c[i] += partial[s * slice + at[i]];
        }
    }
    for (var i = 0u; i < TM; i++) { // unrolled
        for (var j = 0u; j < THREAD_QUADS; j++) { // unrolled
            if tile_row(i) < row_end && tile_quad(j) < params.quad_end {
                epilogue(tile_row(i), tile_quad(j), i, j, c[i * THREAD_QUADS + j], fetched[i * THREAD_QUADS + j]);
            }
        }
    }
    finish(thread);
}
