// Inverted dropout. `params.dropout_layer` is already multiplied by 0x9E3779B9.
// #import shared/random.wgsl
// #import shared/step.wgsl

fn dropout(row: u32, quad: u32, v: vec4f) -> vec4f {
    if !DROPOUT {
        return v;
    }
    let key = vec4u(step.seed_low ^ (step.offset + row), step.seed_high ^ params.dropout_layer, step.step, quad);
    let kept = pcg4d(key) >= vec4u(params.dropout_threshold);
    return select(vec4f(), v / params.dropout_keep, kept);
}
