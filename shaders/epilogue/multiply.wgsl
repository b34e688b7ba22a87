// out = c · by[row mod S]
fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f) {
    store_out(row, quad, mask(quad, c * load_by(row % params.samples, quad)));
}

fn finish(thread: u32) {}
