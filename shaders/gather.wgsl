// out[r] = (source[index[first + r]] − offset)·scale, zero from Step::rows on. `source` may be one of several
// pieces of the matrix: a call then writes the rows it finds in its piece; FIRST writes the zeros.
// #import shared/place.wgsl
// #import shared/step.wgsl
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = place(workgroup_index(id, count) * 64u + thread);
    if at.row >= params.row_end {
        return;
    }
    if at.row >= step.rows {
        if FIRST {
            store_out(at.row, at.quad, vec4f());
        }
        return;
    }
    var row = step.first + at.row;
    if INDEXED {
        row = load_index(0u, row / 4u)[row % 4u];
    }
    if row >= params.source_begin && row < params.source_end {
        let v = load_source(row, at.quad) - load_offset(0u, at.quad);
        store_out(at.row, at.quad, v * load_scale(0u, at.quad));
    }
}
