// A parameter's update from a gradient that was summed before.
// #import shared/place.wgsl
// #import shared/mask.wgsl
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = place(workgroup_index(id, count) * 64u + thread);
    if at.row < params.row_end {
        epilogue(at.row, at.quad, 0u, 0u, load_gradient(at.row, at.quad), fetch(at.row, at.quad));
    }
}
