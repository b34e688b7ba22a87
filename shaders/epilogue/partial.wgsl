// One slice of a split product, for split_k_reduce.wgsl.
alias Fetched = u32; // nothing

fn fetch(row: u32, quad: u32) -> Fetched {
    return 0u;
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let rows = params.segment_rows * params.segments;
    let quads = params.quad_end - params.quad_begin;
    let slice = params.slice_begin + tile_slice;
    partial[(slice * rows + row - params.m_begin) * quads + quad - params.quad_begin] = c;
}

fn finish(thread: u32) {}
