// DeepLIFT's Rescale multipliers of one layer.
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
        let z = load_input(at.row, at.quad);
        let z0 = load_reference(0u, at.quad);
        let m = secant(select(z0, z, z > z0), select(z, z0, z > z0));
        store_out(at.row, at.quad, mask(at.quad, m));
    }
}
