// out = input − reference, zero from Step::rows on.
// #import shared/place.wgsl
// #import shared/step.wgsl
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = place(workgroup_index(id, count) * 64u + thread);
    if at.row < params.row_end {
        let d = load_input(at.row, at.quad) - load_reference(0u, at.quad);
        store_out(at.row, at.quad, select(vec4f(), d, at.row < step.rows));
    }
}
