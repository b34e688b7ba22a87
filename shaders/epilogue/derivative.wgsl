// out = c · activation' of what the layer kept, y before dropout or z, through the same dropout mask
// #import shared/dropout.wgsl
alias Fetched = vec4f;

fn fetch(row: u32, quad: u32) -> Fetched {
    return load_kept(row, quad);
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let kept = select(at * params.dropout_keep, at, SLOPE_OF_INPUT);
    store_out(row, quad, mask(quad, dropout(row, quad, c * derivative(kept))));
}

fn finish(thread: u32) {}
