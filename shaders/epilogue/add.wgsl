// out += c
fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f) {
    store_out(row, quad, mask(quad, load_out(row, quad) + c));
}

fn finish(thread: u32) {}
