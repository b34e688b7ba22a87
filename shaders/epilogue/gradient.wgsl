// out = d
// #import shared/gradient.wgsl
fn epilogue(row: u32, quad: u32, i: u32, j: u32, g: vec4f) {
    store_out(row, quad, mask(quad, objective_gradient(g, load_value(row, quad))));
}

fn finish(thread: u32) {}
