// The operands' next piece in shared memory for products of cooperative matrices, as the operands lie in memory: by rows of the
// product or by the summed dimension, in quads, each row two quads longer than it is full so that neighbouring rows start in
// different banks. And a strip of C, 32 rows at a time, on its way from those products to the epilogue (`tile`, which epilogues
// sum in afterwards).
//
// Groups of GROUP threads, an adapter's subgroups, stand in two rows: each makes 16 rows of every strip, from `down`, and WIDTH
// columns from `across`. So all of them have a part in each strip, and a thread's rows of the epilogue are a quarter of each.
// #import shared/tile.wgsl
// #import shared/blocks.wgsl

const STRIP = 32u;
const STRIP_QUADS = BN / 4u + 1u; // from one row of the strip to the next
const STRIP_SHARE = TM * STRIP / BM; // rows of a strip that a thread ends
const STRIPS = BM / STRIP;
const GROUPS_ACROSS = THREADS / (2u * GROUP);
const WIDTH = BN / GROUPS_ACROSS;
const A_WIDTH = select(BK, BM, A_TRANSPOSED) / 4u;
const B_WIDTH = select(BN, BK, B_TRANSPOSED) / 4u;
const A_QUADS = A_WIDTH + 2u;
const B_QUADS = B_WIDTH + 2u;
const A_SHARE = BM * BK / 4u / THREADS; // quads a thread brings
const B_SHARE = BN * BK / 4u / THREADS;

var<workgroup> half_a: array<halves, BM * BK / 4u / A_WIDTH * A_QUADS>;
var<workgroup> half_b: array<halves, BN * BK / 4u / B_WIDTH * B_QUADS>;

// The i-th quads of this thread. Past the end of the slice they are those before it.
fn fetch_a(thread: u32, i: u32, k: u32, k_end: u32) -> halves {
    let row = (thread + i * THREADS) / A_WIDTH;
    let quad = (thread + i * THREADS) % A_WIDTH;
    if A_TRANSPOSED {
        let at = min(k + row, k_end - 1u);
        let m = row_begin + quad * 4u;
        let last = (row_end - 1u) / 4u;
        if SHIFTED {
            return halves(across_a(at, m));
        }
        return halves_a(at, min(m / 4u, last));
    }
    return halves_a(min(row_begin + row, row_end - 1u), min(k / 4u + quad, k_end / 4u - 1u));
}

fn fetch_b(thread: u32, i: u32, k: u32, k_end: u32) -> halves {
    let row = (thread + i * THREADS) / B_WIDTH;
    let quad = (thread + i * THREADS) % B_WIDTH;
    let last = params.quad_end - 1u;
    if B_TRANSPOSED {
        return halves_b(min(quad_begin + row / 4u, last) * 4u + row % 4u, min(k / 4u + quad, k_end / 4u - 1u));
    }
    return halves_b(min(k + row, k_end - 1u), min(quad_begin + quad, last));
}

fn keep_a(thread: u32, i: u32, four: halves) {
    let at = thread + i * THREADS;
    half_a[at / A_WIDTH * A_QUADS + at % A_WIDTH] = four;
}

fn keep_b(thread: u32, i: u32, four: halves) {
    let at = thread + i * THREADS;
    half_b[at / B_WIDTH * B_QUADS + at % B_WIDTH] = four;
}

// Makes what A holds past the end of the slice zero, so that there B counts for nothing: in the last piece alone.
fn clear_a(thread: u32, i: u32, left: u32) {
    let at = thread + i * THREADS;
    let k = select(at % A_WIDTH * 4u, at / A_WIDTH, A_TRANSPOSED);
    if k >= left {
        keep_a(thread, i, halves());
    }
}

var<private> fetched: array<Fetched, STRIP_SHARE>; // of the strip to come

fn fetch_strip(s: u32) {
    for (var i = 0u; i < STRIP_SHARE; i++) { // unrolled
        fetched[i] = fetch_inside(s * STRIP_SHARE + i, 0u);
    }
}

// The epilogue of strip s, which all threads wrote. What the next one's reads is asked for first.
fn consume(s: u32) {
    workgroupBarrier();
    var now = fetched;
    if s + 1u < STRIPS {
        fetch_strip(s + 1u);
    }
    for (var i = 0u; i < STRIP_SHARE; i++) { // unrolled
        let n = s * STRIP_SHARE + i;
        if tile_row(n) < row_end && tile_quad(0u) < params.quad_end {
            let c = tile[(tile_row(n) - tile_row(s * STRIP_SHARE) + thread_row * 4u) * STRIP_QUADS + thread_column];
            epilogue(tile_row(n), tile_quad(0u), n, 0u, c, now[i]);
        }
    }
    workgroupBarrier();
}
