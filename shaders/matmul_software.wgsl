// C = A·B for software rasterizers, where a barrier costs more than the memory traffic that it saves: every
// invocation keeps TM × TN of C and reads the operands itself.
// #import shared/grid.wgsl
// #import shared/tile.wgsl
// #import shared/blocks.wgsl

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if !locate(workgroup_index(id, count), thread) {
        return;
    }
    let k_begin = params.k_begin + tile_slice * params.k_step;
    let k_end = min(k_begin + params.k_step, params.k_end);

    var c: array<vec4f, TM * THREAD_QUADS>;
    for (var k = k_begin; k < k_end; k += 4u) {
        var b: array<mat4x4f, THREAD_QUADS>;
        for (var j = 0u; j < THREAD_QUADS; j++) {
            b[j] = block_b(tile_quad(j), k);
        }
        for (var i = 0u; i < TM / 4u; i++) {
            let a = transpose(block_a(tile_row(i * 4u), k));
            for (var j = 0u; j < THREAD_QUADS; j++) {
                let at = i * 4u * THREAD_QUADS + j;
                c[at] += b[j] * a[0];
                c[at + THREAD_QUADS] += b[j] * a[1];
                c[at + 2u * THREAD_QUADS] += b[j] * a[2];
                c[at + 3u * THREAD_QUADS] += b[j] * a[3];
            }
        }
    }

    for (var i = 0u; i < TM; i++) {
        for (var j = 0u; j < THREAD_QUADS; j++) {
            if tile_row(i) < row_end && tile_quad(j) < params.quad_end {
                epilogue(tile_row(i), tile_quad(j), i, j, c[i * THREAD_QUADS + j], fetch_inside(i, j));
            }
        }
    }
    finish(thread);
}
