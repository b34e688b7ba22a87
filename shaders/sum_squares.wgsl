// Σ w² of `params.block` quads a workgroup, for reduce.wgsl.
// #import shared/place.wgsl
// #import shared/workgroup.wgsl
@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let workgroup = workgroup_index(id, count);
    let begin = workgroup * params.block;
    let end = min(begin + params.block, (params.row_end - params.row_begin) * params.quads);
    if begin >= end {
        return;
    }
    var total = 0.0;
    for (var index = begin + thread; index < end; index += THREADS) {
        let at = place(index);
        let w = load_input(at.row, at.quad);
        total += dot(w, w);
    }
    let sum = workgroup_sum(thread, vec2f(total, 0.0));
    if thread == 0u {
        pairs[params.pair_begin + workgroup] = sum;
    }
}
