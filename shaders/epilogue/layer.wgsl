// out = dropout(activation(c + bias))
// #import shared/dropout.wgsl
fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f) {
    let y = activate(c + load_bias(0u, quad));
    store_out(row, quad, mask(quad, dropout(row, quad, y)));
}

fn finish(thread: u32) {}
