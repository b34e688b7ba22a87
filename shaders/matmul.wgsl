// C = A·B by tiles: a workgroup brings BK of the summed dimension at a time into shared memory, and a thread
// keeps TM × TN of C in registers. The next piece travels while this one is multiplied; where shared memory holds two
// (STAGES), it arrives while others still multiply. What becomes of C is the epilogue's business.
// #import shared/grid.wgsl
// #import shared/staging.wgsl

const B_TILE = BM * BK / 4u; // where B's tile starts
const STAGE = (BM + BN) * BK / 4u;

// Where in its row of the shared tile a quad lies: turned by k, so that neighbouring threads, which hold different k of few
// quads, write to different banks. Groups of eight quads stay together.
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

    var stage = 0u;
    // this thread's quads in a row of either tile, for each turn
    var a_at: array<u32, BK / 4u>;
    var b_at: array<u32, BK / 4u>;
    for (var t = 0u; t < BK / 4u; t++) { // unrolled
        a_at[t] = turned(thread_row, t * 4u);
        b_at[t] = turned(thread_column, t * 4u);
    }
    var next: array<mat4x4f, THREAD_BLOCKS>;
    var c: array<vec4f, TM * THREAD_QUADS>;
    for (var k = k_begin; k < k_end + BK; k += BK) {
        // The first round only fetches; the last only multiplies.
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
                    b[j] = tile[stage + b_at[kk / 4u] + (B_TILE + kk * (BN / 4u) + j * COLUMN_THREADS)];
                }
                for (var i = 0u; i < TM / 4u; i++) { // unrolled
                    let a = tile[stage + a_at[kk / 4u] + (kk * (BM / 4u) + i * ROW_THREADS)];
                    for (var j = 0u; j < THREAD_QUADS; j++) { // unrolled
                        c[i * 4u * THREAD_QUADS + j] += a.x * b[j];
                        c[(i * 4u + 1u) * THREAD_QUADS + j] += a.y * b[j];
                        c[(i * 4u + 2u) * THREAD_QUADS + j] += a.z * b[j];
                        c[(i * 4u + 3u) * THREAD_QUADS + j] += a.w * b[j];
                    }
                }
            }
        }
        if STAGES == 1u {
            workgroupBarrier();
        }
        if k < k_end {
            stage = (STAGES - 1u) * STAGE - stage;
            for (var i = 0u; i < THREAD_BLOCKS; i++) { // unrolled
                let block = thread + i * THREADS;
                if block < A_BLOCKS {
                    let at = spot(block, A_TRANSPOSED, BM / 4u);
                    for (var j = 0u; j < 4u; j++) { // unrolled
                        tile[stage + (at.y * 4u + j) * (BM / 4u) + turned(at.x, at.y * 4u)] = next[i][j];
                    }
                } else if block < BLOCKS {
                    let at = spot(block - A_BLOCKS, !B_TRANSPOSED, BN / 4u);
                    for (var j = 0u; j < 4u; j++) { // unrolled
                        tile[stage + B_TILE + (at.y * 4u + j) * (BN / 4u) + turned(at.x, at.y * 4u)] = next[i][j];
                    }
                }
            }
        }
        workgroupBarrier();
    }

    for (var four = 0u; four < TM / 4u; four++) { // unrolled
        for (var j = 0u; j < THREAD_QUADS; j++) { // unrolled
            var fetched: array<Fetched, 4>;
            for (var r = 0u; r < 4u; r++) { // unrolled
                fetched[r] = fetch_inside(four * 4u + r, j);
            }
            for (var r = 0u; r < 4u; r++) { // unrolled
                let i = four * 4u + r;
                if tile_row(i) < row_end && tile_quad(j) < params.quad_end {
                    epilogue(tile_row(i), tile_quad(j), i, j, c[(four * 4u + r) * THREAD_QUADS + j], fetched[r]);
                }
            }
        }
    }
    finish(thread);
}
