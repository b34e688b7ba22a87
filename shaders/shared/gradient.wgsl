// The gradient of the whole objective: d = gradient_scale·g + 2·l2·w.
// #import shared/step.wgsl
fn objective_gradient(g: vec4f, w: vec4f) -> vec4f {
    return step.gradient_scale * g + 2.0 * params.l2 * w;
}
