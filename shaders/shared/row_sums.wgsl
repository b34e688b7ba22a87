// What an epilogue added up along each of a thread's rows becomes one number a row and tile, for row_sums.wgsl.
// #import shared/tile.wgsl

var<private> row_sums: array<f32, TM>;

fn leave_row_sums(thread: u32) {
    workgroupBarrier();
    for (var i = 0u; i < TM / 4u; i++) {
        let four = vec4f(row_sums[i * 4u], row_sums[i * 4u + 1u], row_sums[i * 4u + 2u], row_sums[i * 4u + 3u]);
        tile[thread_column * (BM / 4u) + i * ROW_THREADS + thread_row] = four;
    }
    workgroupBarrier();
    let rows = params.segment_rows * params.segments;
    for (var q = thread; q < BM / 4u; q += THREADS) {
        var total = tile[q];
        for (var t = 1u; t < COLUMN_THREADS; t++) {
            total += tile[t * (BM / 4u) + q];
        }
        for (var lane = 0u; lane < 4u; lane++) {
            let row = row_begin + q * 4u + lane;
            if row < row_end {
                sum_partial[tile_n * rows + row - params.m_begin] = total[lane];
            }
        }
    }
}
