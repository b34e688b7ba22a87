// out = activation(input)
// #import shared/elementwise.wgsl
// #import shared/mask.wgsl
fn element(at: Place) {
    store_out(at.row, at.quad, mask(at.quad, activate(load_input(at.row, at.quad))));
}
