// out[row, 0] = column of the row's largest value, the first of equals; a thread a row.
// #import shared/elementwise.wgsl
fn element(at: Place) {
    if at.quad > 0u {
        return;
    }
    var largest = 0u;
    var most = load_input(at.row, 0u).x;
    for (var quad = 0u; quad * 4u < params.input_cols; quad++) {
        let v = load_input(at.row, quad);
        for (var lane = 0u; lane < 4u; lane++) {
            if v[lane] > most && quad * 4u + lane < params.input_cols {
                most = v[lane];
                largest = quad * 4u + lane;
            }
        }
    }
    store_out(at.row, 0u, vec4f(f32(largest), 0.0, 0.0, 0.0));
}
