// out = c · activation'(y before dropout), through the same dropout mask
// #import shared/dropout.wgsl
alias Fetched = vec4f;

fn fetch(row: u32, quad: u32) -> Fetched {
    return load_output(row, quad);
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let y = at * params.dropout_keep;
    store_out(row, quad, mask(quad, dropout(row, quad, c * derivative(y))));
}

fn finish(thread: u32) {}
