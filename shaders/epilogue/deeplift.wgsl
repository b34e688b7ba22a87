// Contributions C = c · difference of all seeds, never stored: a tile leaves one row of Σ over its samples of
// fold(C) and, for each of its samples, Σ over its columns of C. A tile holds samples of one seed.
// #import shared/row_sums.wgsl

var<private> column_sums: array<vec4f, THREAD_QUADS>;

alias Fetched = vec4f;

fn fetch(row: u32, quad: u32) -> Fetched {
    return load_difference(row % params.samples, quad);
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let contribution = mask(quad, c * at);
    row_sums[i] += dot(contribution, vec4f(1.0));
    if FOLD == 0u {
        column_sums[j] += abs(contribution);
    } else if FOLD == 1u {
        column_sums[j] += contribution;
    } else {
        column_sums[j] += contribution * contribution;
    }
}

fn finish(thread: u32) {
    workgroupBarrier();
    for (var j = 0u; j < THREAD_QUADS; j++) {
        tile[thread_row * TILE_QUADS + j * COLUMN_THREADS + thread_column] = column_sums[j];
    }
    workgroupBarrier();
    let quads = params.quad_end - params.quad_begin;
    for (var q = thread; q < TILE_QUADS; q += THREADS) {
        if quad_begin + q < params.quad_end {
            var total = tile[q];
            for (var t = 1u; t < ROW_THREADS; t++) {
                total += tile[t * TILE_QUADS + q];
            }
            score_partial[tile_m * quads + quad_begin + q - params.quad_begin] = total;
        }
    }

    leave_row_sums(thread);
}
