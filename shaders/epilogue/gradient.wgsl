// out = d
// #import shared/gradient.wgsl
alias Fetched = vec4f;

fn fetch(row: u32, quad: u32) -> Fetched {
    return load_value(row, quad);
}

fn epilogue(row: u32, quad: u32, i: u32, j: u32, g: vec4f, at: Fetched) {
    store_out(row, quad, mask(quad, objective_gradient(g, at)));
}

fn finish(thread: u32) {}
