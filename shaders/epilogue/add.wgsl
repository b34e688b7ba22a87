// out += c
alias Fetched = vec4f;

fn fetch(row: u32, quad: u32) -> Fetched {
    return load_out(row, quad);
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    store_out(row, quad, mask(quad, at + c));
}

fn finish(thread: u32) {}
