// sums[k, s] = Σ over the tiles of row k·S + s, from left to right, of what shared/row_sums.wgsl left. Only samples
// sample_begin..sample_end are touched; ADD: to what is there, be it from columns further left or an earlier call.
// #import shared/place.wgsl
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = workgroup_index(id, count) * 64u + thread;
    let at = place(index);
    if at.row >= params.row_end {
        return;
    }
    let quad = params.sample_begin / 4u + at.quad;
    let samples = params.sample_end - params.sample_begin;
    let rows = (params.row_end - params.row_begin) * samples;
    var v = load_sums(at.row, quad);
    for (var lane = 0u; lane < 4u; lane++) {
        let s = quad * 4u + lane;
        if s >= params.sample_begin && s < params.sample_end {
            let row = (at.row - params.row_begin) * samples + s - params.sample_begin;
            var total = select(0.0, v[lane], ADD);
            for (var t = 0u; t < params.tiles; t++) {
                total += sum_partial[t * rows + row];
            }
            v[lane] = total;
        }
    }
    store_sums(at.row, quad, v);
}
