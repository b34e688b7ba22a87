// A parameter's update from a gradient that was summed before.
// #import shared/elementwise.wgsl
// #import shared/mask.wgsl
fn element(at: Place) {
    epilogue(at.row, at.quad, 0u, 0u, load_gradient(at.row, at.quad), fetch(at.row, at.quad));
}
