// matmul_cooperative.wgsl for adapters without cooperative matrices, to test everything else in it: a thread keeps 8 columns of one
// row of each of its group's eight 16 × 16 products.
// #import shared/grid.wgsl
// #import shared/half_tiles.wgsl
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
    let group = thread / 32u;
    let down = group / 4u * 16u + thread % 32u / 2u;
    let across = group % 4u * 32u + thread % 2u * 8u;

    var c: array<f32, 64>;
    var next: array<mat4x4f, THREAD_BLOCKS>;
    for (var k = k_begin; k < k_end; k += BK) {
        for (var i = 0u; i < THREAD_BLOCKS; i++) {
            next[i] = fetch(thread, i, k, k_end);
        }
        workgroupBarrier();
        for (var i = 0u; i < THREAD_BLOCKS; i++) {
            keep(thread, i, next[i]);
        }
        workgroupBarrier();
        for (var kk = 0u; kk < BK; kk++) {
            for (var s = 0u; s < 4u; s++) {
                let a = half_a[kk * BM + s * STRIP + down];
                for (var n = 0u; n < 16u; n++) {
                    c[s * 16u + n] += a * half_b[kk * BN + across + n / 8u * 16u + n % 8u];
                }
            }
        }
    }

    for (var s = 0u; s < 4u; s++) {
        for (var n = 0u; n < 16u; n++) {
            strip[down * BN + across + n / 8u * 16u + n % 8u] = c[s * 16u + n];
        }
        consume(s);
    }
    finish(thread);
}
