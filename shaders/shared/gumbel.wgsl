// Gumbel noise of src/device/math.rs, keyed as src/device/random.rs says. `params.stream` is already multiplied
// by 0x9E3779B9.
// #import shared/elementary.wgsl
// #import shared/random.wgsl
// #import shared/step.wgsl

fn gumbel(row: u32, quad: u32) -> vec4f {
    let words = pcg4d(vec4u(step.seed_low ^ row, step.seed_high ^ params.stream, step.step, quad));
    let u = (vec4f(words >> vec4u(9u)) + 0.5) * 1.1920928955078125e-7;
    return -logarithm(-logarithm(u));
}
