// out = c
alias Fetched = u32; // nothing

fn fetch(row: u32, quad: u32) -> Fetched {
    return 0u;
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, c: vec4f, at: Fetched) {
    store_out(row, quad, mask(quad, c));
}

fn finish(thread: u32) {}
