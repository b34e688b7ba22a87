// out = input − reference, zero from Step::rows on.
// #import shared/elementwise.wgsl
// #import shared/step.wgsl
fn element(at: Place) {
    let d = load_input(at.row, at.quad) - load_reference(0u, at.quad);
    store_out(at.row, at.quad, select(vec4f(), d, at.row < step.rows));
}
