// The operands' next piece in shared memory for 16 × 16 × 16 products: A as K × BM, B as K × BN, rounded to f16 before. And a
// strip of C, 32 rows at a time, on its way from those products to the epilogue.
//
// 32 threads make 64 rows × 32 columns of the workgroup's 128 × 128: of every strip 16 rows from `down`, 32 columns from `across`.
// So all of them have a part in each strip, and a thread's rows of the epilogue (TM = 16) are four of each.
// #import shared/staging.wgsl

const STRIP = 32u;

var<workgroup> half_a: array<stored, BM * BK>;
var<workgroup> half_b: array<stored, BN * BK>;
var<workgroup> strip: array<f32, STRIP * BN>;

// The i-th block of this thread, zero past the end of the slice.
fn fetch(thread: u32, i: u32, k: u32, k_end: u32) -> mat4x4f {
    let block = thread + i * THREADS;
    if block < A_BLOCKS {
        let at = spot(block, A_TRANSPOSED, BM / 4u);
        if k + at.y * 4u < k_end {
            return block_a(row_begin + at.x * 4u, k + at.y * 4u);
        }
    } else if block < BLOCKS {
        let at = spot(block - A_BLOCKS, !B_TRANSPOSED, BN / 4u);
        if k + at.y * 4u < k_end {
            return block_b(quad_begin + at.x, k + at.y * 4u);
        }
    }
    return mat4x4f();
}

fn keep(thread: u32, i: u32, value: mat4x4f) {
    var block = value;
    let number = thread + i * THREADS;
    if number < A_BLOCKS {
        let at = spot(number, A_TRANSPOSED, BM / 4u);
        for (var j = 0u; j < 4u; j++) {
            for (var lane = 0u; lane < 4u; lane++) {
                half_a[(at.y * 4u + j) * BM + at.x * 4u + lane] = stored(block[j][lane]);
            }
        }
    } else if number < BLOCKS {
        let at = spot(number - A_BLOCKS, !B_TRANSPOSED, BN / 4u);
        for (var j = 0u; j < 4u; j++) {
            for (var lane = 0u; lane < 4u; lane++) {
                half_b[(at.y * 4u + j) * BN + at.x * 4u + lane] = stored(block[j][lane]);
            }
        }
    }
}

// The epilogue of strip s, which all threads wrote.
fn consume(s: u32) {
    workgroupBarrier();
    for (var i = s * 4u; i < s * 4u + 4u; i++) {
        if tile_row(i) < row_end && tile_quad(0u) < params.quad_end {
            let at = (thread_row * 4u + i % 4u) * BN + thread_column * 4u;
            epilogue(tile_row(i), tile_quad(0u), i, 0u, vec4f(strip[at], strip[at + 1u], strip[at + 2u], strip[at + 3u]));
        }
    }
    workgroupBarrier();
}
