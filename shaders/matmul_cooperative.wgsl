// C = A·B with both operands rounded to f16, summed in f32 by cooperative matrices (tensor cores) of SIDE × SIDE: GROUP threads hold
// 16 × WIDTH of every strip. matmul_emulated.wgsl is the same on adapters that have none.
// #import shared/grid.wgsl
// #import shared/half_tiles.wgsl

const DOWN = 16u / SIDE; // matrices of a group in a strip's 16 rows, and across
const ACROSS = WIDTH / SIDE;

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
    let group = thread / GROUP;
    let down = group / GROUPS_ACROSS * 16u;
    let across = group % GROUPS_ACROSS * WIDTH;

    var c: array<matrix_c, STRIPS * DOWN * ACROSS>;
    var next_a: array<halves, A_SHARE>;
    var next_b: array<halves, B_SHARE>;
    for (var i = 0u; i < A_SHARE; i++) { // unrolled
        next_a[i] = fetch_a(thread, i, k_begin, k_end);
    }
    for (var i = 0u; i < B_SHARE; i++) { // unrolled
        next_b[i] = fetch_b(thread, i, k_begin, k_end);
    }
    for (var k = k_begin; k < k_end; k += BK) {
        for (var i = 0u; i < A_SHARE; i++) { // unrolled
            keep_a(thread, i, next_a[i]);
        }
        for (var i = 0u; i < B_SHARE; i++) { // unrolled
            keep_b(thread, i, next_b[i]);
        }
        if k + BK > k_end {
            for (var i = 0u; i < A_SHARE; i++) { // unrolled
                clear_a(thread, i, k_end - k);
            }
        }
        workgroupBarrier();
        // the next piece travels while this one is multiplied
        for (var i = 0u; i < A_SHARE; i++) { // unrolled
            next_a[i] = fetch_a(thread, i, k + BK, k_end);
        }
        for (var i = 0u; i < B_SHARE; i++) { // unrolled
            next_b[i] = fetch_b(thread, i, k + BK, k_end);
        }
        for (var kk = 0u; kk < BK; kk += SIDE) {
            var b: array<matrix_b, ACROSS>;
            for (var j = 0u; j < ACROSS; j++) { // unrolled
                let column = across + j * SIDE;
                if B_TRANSPOSED {
                    let at = column * B_QUADS + kk / 4u;
                    b[j] = coopLoad<matrix_b>(&half_b[at], B_QUADS);
                } else {
                    let at = kk * B_QUADS + column / 4u;
                    b[j] = coopLoadT<matrix_b>(&half_b[at], B_QUADS);
                }
            }
            for (var i = 0u; i < STRIPS * DOWN; i++) { // unrolled
                let row = i / DOWN * STRIP + down + i % DOWN * SIDE;
                var a: matrix_a;
                if A_TRANSPOSED {
                    let at = kk * A_QUADS + row / 4u;
                    a = coopLoad<matrix_a>(&half_a[at], A_QUADS);
                } else {
                    let at = row * A_QUADS + kk / 4u;
                    a = coopLoadT<matrix_a>(&half_a[at], A_QUADS);
                }
                for (var j = 0u; j < ACROSS; j++) { // unrolled
                    c[i * ACROSS + j] = coopMultiplyAdd(a, b[j], c[i * ACROSS + j]);
                }
            }
        }
        workgroupBarrier();
    }

    fetch_strip(0u);
    for (var s = 0u; s < STRIPS; s++) { // unrolled
        for (var i = 0u; i < DOWN; i++) { // unrolled
            for (var j = 0u; j < ACROSS; j++) { // unrolled
                let at = (down + i * SIDE) * STRIP_QUADS + (across + j * SIDE) / 4u;
                coopStoreT(c[(s * DOWN + i) * ACROSS + j], &tile[at], STRIP_QUADS);
            }
        }
        consume(s);
    }
    finish(thread);
}
