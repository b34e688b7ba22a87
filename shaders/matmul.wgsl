// C = A·B by tiles: a workgroup brings BK of the summed dimension at a time into shared memory, and a thread
// keeps TM × TN of C in registers. The next piece travels while this one is multiplied. What becomes of C is
// the epilogue's business.
// #import shared/grid.wgsl
// #import shared/staging.wgsl

const B_TILE = BM * BK / 4u; // where B's tile starts

// Where in its row of the shared tile a quad lies: turned by k, so that neighbouring threads, which hold different k of few
// quads, write to different banks.
fn turned(quad: u32, k: u32) -> u32 {
    return quad ^ (k / 4u * 2u % 8u);
}

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

    var next: array<mat4x4f, THREAD_BLOCKS>;
    var c: array<vec4f, TM * THREAD_QUADS>;
    for (var k = k_begin; k < k_end + BK; k += BK) {
        // The first round only fetches; the last only multiplies.
        if k > k_begin {
            workgroupBarrier();
            for (var i = 0u; i < THREAD_BLOCKS; i++) { // unrolled
                let block = thread + i * THREADS;
                if block < A_BLOCKS {
                    let at = spot(block, A_TRANSPOSED, BM / 4u);
                    for (var j = 0u; j < 4u; j++) { // unrolled
                        tile[(at.y * 4u + j) * (BM / 4u) + turned(at.x, at.y * 4u)] = next[i][j];
                    }
                } else if block < BLOCKS {
                    let at = spot(block - A_BLOCKS, !B_TRANSPOSED, BN / 4u);
                    for (var j = 0u; j < 4u; j++) { // unrolled
                        tile[B_TILE + (at.y * 4u + j) * (BN / 4u) + turned(at.x, at.y * 4u)] = next[i][j];
                    }
                }
            }
            workgroupBarrier();
        }
        if k < k_end {
            for (var i = 0u; i < THREAD_BLOCKS; i++) { // unrolled
                let block = thread + i * THREADS;
                if block < A_BLOCKS {
                    let at = spot(block, A_TRANSPOSED, BM / 4u);
                    next[i] = block_a(row_begin + at.x * 4u, k + at.y * 4u);
                } else if block < BLOCKS {
                    let at = spot(block - A_BLOCKS, !B_TRANSPOSED, BN / 4u);
                    next[i] = block_b(quad_begin + at.x, k + at.y * 4u);
                }
            }
        }
        if k > k_begin {
            for (var kk = 0u; kk < BK; kk++) { // unrolled
                var b: array<vec4f, THREAD_QUADS>;
                for (var j = 0u; j < THREAD_QUADS; j++) { // unrolled
                    b[j] = tile[B_TILE + kk * (BN / 4u) + turned(j * COLUMN_THREADS + thread_column, kk)];
                }
                for (var i = 0u; i < TM / 4u; i++) { // unrolled
                    let a = tile[kk * (BM / 4u) + turned(i * ROW_THREADS + thread_row, kk)];
                    for (var j = 0u; j < THREAD_QUADS; j++) { // unrolled
                        c[i * 4u * THREAD_QUADS + j] += a.x * b[j];
                        c[(i * 4u + 1u) * THREAD_QUADS + j] += a.y * b[j];
                        c[(i * 4u + 2u) * THREAD_QUADS + j] += a.z * b[j];
                        c[(i * 4u + 3u) * THREAD_QUADS + j] += a.w * b[j];
                    }
                }
            }
        }
    }

    for (var i = 0u; i < TM; i++) { // unrolled
        for (var j = 0u; j < THREAD_QUADS; j++) { // unrolled
            if tile_row(i) < row_end && tile_quad(j) < params.quad_end {
                epilogue(tile_row(i), tile_quad(j), i, j, c[i * THREAD_QUADS + j]);
            }
        }
    }
    finish(thread);
}
