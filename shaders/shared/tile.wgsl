// Which part of C a workgroup and its threads make. The constants BM × BN is a workgroup's tile, TM × TN a
// thread's part of it: rows in groups of four and columns in quads, both dealt out in turn so that
// neighbouring threads touch neighbouring memory.
//
// The rows of a dispatch are `params.segments` segments of `params.segment_rows`, from `params.m_begin` on;
// no tile holds rows of two segments (a segment is one seed's samples in DeepLIFT, all rows elsewhere).
// #import shared/workgroup.wgsl
// #import shared/mask.wgsl

const ROW_THREADS = BM / TM;
const COLUMN_THREADS = BN / TN;
const THREADS = ROW_THREADS * COLUMN_THREADS;
const THREAD_QUADS = TN / 4u;
const TILE_QUADS = BN / 4u;

var<private> thread_row: u32;
var<private> thread_column: u32;
var<private> tile_index: u32; // within one slice
var<private> tile_slice: u32;
var<private> tile_m: u32; // numbers the tiles from top to bottom
var<private> tile_n: u32;
var<private> row_begin: u32;
var<private> row_end: u32; // of the segment
var<private> quad_begin: u32;

// False: this workgroup is past the end.
fn locate(workgroup: u32, thread: u32) -> bool {
    thread_row = thread / COLUMN_THREADS;
    thread_column = thread % COLUMN_THREADS;
    let tiles_segment = (params.segment_rows + BM - 1u) / BM;
    let tiles_m = tiles_segment * params.segments;
    let tiles_n = (params.quad_end - params.quad_begin + TILE_QUADS - 1u) / TILE_QUADS;
    tile_slice = workgroup / (tiles_m * tiles_n);
    tile_index = workgroup % (tiles_m * tiles_n);
    // Bands of eight tile rows, column by column: workgroups that run together share operands in the cache.
    let band = tile_index / (8u * tiles_n);
    let height = min(tiles_m - band * 8u, 8u);
    let in_band = tile_index % (8u * tiles_n);
    tile_m = band * 8u + in_band % height;
    tile_n = in_band / height;
    let segment = params.m_begin + (tile_m / tiles_segment) * params.segment_rows;
    row_begin = segment + (tile_m % tiles_segment) * BM;
    row_end = segment + params.segment_rows;
    quad_begin = params.quad_begin + tile_n * TILE_QUADS;
    return tile_slice < params.slices;
}

// The i-th row of this thread, i < TM.
fn tile_row(i: u32) -> u32 {
    return row_begin + ((i / 4u) * ROW_THREADS + thread_row) * 4u + i % 4u;
}

// What an epilogue reads of an element's row and quad, read for all of them that a thread ends at a time, before the first is written:
// one load after the other would take as many times as long as memory takes to answer. Clamped, since of elements outside nothing is used.
fn fetch_inside(i: u32, j: u32) -> Fetched {
    return fetch(min(tile_row(i), row_end - 1u), min(tile_quad(j), params.quad_end - 1u));
}

// The j-th quad of this thread, j < THREAD_QUADS.
fn tile_quad(j: u32) -> u32 {
    return quad_begin + j * COLUMN_THREADS + thread_column;
}
