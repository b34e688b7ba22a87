// out = dropout(activation(c + bias)), and c + bias kept where a slope is told by that
// #import shared/dropout.wgsl
alias Fetched = vec4f;

fn fetch(row: u32, quad: u32) -> Fetched {
    return load_bias(0u, quad);
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    let z = c + at;
    store_kept(row, quad, mask(quad, z));
    let y = activate(z);
    store_out(row, quad, mask(quad, dropout(row, quad, y)));
}

fn finish(thread: u32) {}
