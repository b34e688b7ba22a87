// C = A·B with both operands rounded to f16, summed in f32 by cooperative matrices (tensor cores): 32 threads hold 64 × 32 of
// C. matmul_emulated.wgsl is the same on adapters that have none. A's columns and B's rows lie one after another in shared memory, so
// A is read by columns, B by rows (T).
// #import shared/grid.wgsl
// #import shared/half_tiles.wgsl
@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    // Cooperative matrices want control flow that is seen to be the same for all threads: nothing above them may hang on a variable.
    let workgroup = id.y * count.x + id.x;
    if workgroup >= params.workgroups {
        return;
    }
    locate(workgroup, thread);
    let k_begin = params.k_begin + tile_slice * params.k_step;
    let k_end = min(k_begin + params.k_step, params.k_end);
    let group = thread / 32u;
    let down = group / 4u * 16u;
    let across = group % 4u * 32u;

    var c00 = coop_mat16x16<f32, C>();
    var c01 = coop_mat16x16<f32, C>();
    var c10 = coop_mat16x16<f32, C>();
    var c11 = coop_mat16x16<f32, C>();
    var c20 = coop_mat16x16<f32, C>();
    var c21 = coop_mat16x16<f32, C>();
    var c30 = coop_mat16x16<f32, C>();
    var c31 = coop_mat16x16<f32, C>();
    var next: array<mat4x4f, THREAD_BLOCKS>;
    for (var i = 0u; i < THREAD_BLOCKS; i++) {
        next[i] = fetch(thread, i, k_begin, k_end);
    }
    for (var k = k_begin; k < k_end; k += BK) {
        for (var i = 0u; i < THREAD_BLOCKS; i++) {
            keep(thread, i, next[i]);
        }
        workgroupBarrier();
        // the next piece travels while this one is multiplied
        for (var i = 0u; i < THREAD_BLOCKS; i++) {
            next[i] = fetch(thread, i, k + BK, k_end);
        }
        for (var kk = 0u; kk < BK; kk += 16u) {
            let at_a = kk * BM + down;
            let a0 = coopLoad<coop_mat16x16<f16, A>>(&half_a[at_a], BM);
            let a1 = coopLoad<coop_mat16x16<f16, A>>(&half_a[at_a + STRIP], BM);
            let a2 = coopLoad<coop_mat16x16<f16, A>>(&half_a[at_a + 2u * STRIP], BM);
            let a3 = coopLoad<coop_mat16x16<f16, A>>(&half_a[at_a + 3u * STRIP], BM);
            let at_b = kk * BN + across;
            let b0 = coopLoadT<coop_mat16x16<f16, B>>(&half_b[at_b], BN);
            let b1 = coopLoadT<coop_mat16x16<f16, B>>(&half_b[at_b + 16u], BN);
            c00 = coopMultiplyAdd(a0, b0, c00);
            c01 = coopMultiplyAdd(a0, b1, c01);
            c10 = coopMultiplyAdd(a1, b0, c10);
            c11 = coopMultiplyAdd(a1, b1, c11);
            c20 = coopMultiplyAdd(a2, b0, c20);
            c21 = coopMultiplyAdd(a2, b1, c21);
            c30 = coopMultiplyAdd(a3, b0, c30);
            c31 = coopMultiplyAdd(a3, b1, c31);
        }
        workgroupBarrier();
    }

    let left = down * BN + across;
    let right = left + 16u;
    coopStoreT(c00, &strip[left], BN);
    coopStoreT(c01, &strip[right], BN);
    consume(0u);
    coopStoreT(c10, &strip[left], BN);
    coopStoreT(c11, &strip[right], BN);
    consume(1u);
    coopStoreT(c20, &strip[left], BN);
    coopStoreT(c21, &strip[right], BN);
    consume(2u);
    coopStoreT(c30, &strip[left], BN);
    coopStoreT(c31, &strip[right], BN);
    consume(3u);
    finish(thread);
}
