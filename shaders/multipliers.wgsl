// DeepLIFT's Rescale multipliers of one layer.
// #import shared/elementwise.wgsl
// #import shared/mask.wgsl
fn element(at: Place) {
    let z = load_input(at.row, at.quad);
    let z0 = load_reference(0u, at.quad);
    let m = secant(select(z0, z, z > z0), select(z, z0, z > z0));
    store_out(at.row, at.quad, mask(at.quad, m));
}
