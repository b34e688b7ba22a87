// out = c · activation'(y before dropout), through the same dropout mask
// #import shared/dropout.wgsl
fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f) {
    let y = load_output(row, quad) * params.dropout_keep;
    store_out(row, quad, mask(quad, dropout(row, quad, c * derivative(y))));
}

fn finish(thread: u32) {}
