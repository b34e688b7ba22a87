// #import shared/place.wgsl
// A thread for each quad of the rectangle. What becomes of it is the kernel's own `element`.
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = place(workgroup_index(id, count) * 64u + thread);
    if at.row < params.row_end {
        element(at);
    }
}
