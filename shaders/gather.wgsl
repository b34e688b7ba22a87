// out[r] = (source[index[first + r]] − offset)·scale, zero from Step::rows on. `source` may be one of several
// pieces of the matrix: a call then writes the rows it finds in its piece; FIRST writes the zeros.
// #import shared/elementwise.wgsl
// #import shared/step.wgsl
fn element(at: Place) {
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
