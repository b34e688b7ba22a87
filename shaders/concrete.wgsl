// out = softmax((logits + Gumbel noise)/T), a workgroup a row.
// #import shared/grid.wgsl
// #import shared/gumbel.wgsl
// #import shared/mask.wgsl
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
    let lowest = vec4f(-3.4e38);
    var high = lowest;
    for (var quad = thread; quad < params.quads; quad += THREADS) {
        let v = load_logits(row, quad) + gumbel(row, quad);
        store_out(row, quad, v);
        high = max(high, select(lowest, v, vec4u(0u, 1u, 2u, 3u) + quad * 4u < vec4u(params.cols)));
    }
    let most = workgroup_max(thread, max(max(high.x, high.y), max(high.z, high.w)));
    var total = 0.0;
    for (var quad = thread; quad < params.quads; quad += THREADS) {
        let e = mask(quad, exponential((load_out(row, quad) - most) / step.temperature));
        store_out(row, quad, e);
        total += dot(e, vec4f(1.0));
    }
    let sum = workgroup_sum(thread, vec2f(total, 0.0)).x;
    for (var quad = thread; quad < params.quads; quad += THREADS) {
        store_out(row, quad, load_out(row, quad) / sum);
    }
}
