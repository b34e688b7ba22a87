// Back through concrete.wgsl: m⊙(d − Σ m·d)/T goes to the logits' update, a workgroup a row.
// #import shared/grid.wgsl
// #import shared/mask.wgsl
// #import shared/step.wgsl
// #import shared/workgroup.wgsl
@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = params.row_begin + workgroup_index(id, count);
    if row >= params.row_end {
        return;
    }
    var total = 0.0;
    for (var quad = thread; quad < params.quads; quad += THREADS) {
        total += dot(load_selection(row, quad), load_gradient(row, quad));
    }
    let sum = workgroup_sum(thread, vec2f(total, 0.0)).x;
    for (var quad = thread; quad < params.quads; quad += THREADS) {
        let g = load_selection(row, quad) * (load_gradient(row, quad) - sum) / step.temperature;
        epilogue(row, quad, 0u, 0u, g, fetch(row, quad));
    }
    finish(thread);
}
