// The workgroup's only shared memory: tiles of the operands first, sums over its threads at the end.
var<workgroup> tile: array<vec4f, TILE_LENGTH>;

// Σ over the threads of a workgroup, in a fixed order; every thread gets it.
fn workgroup_sum(thread: u32, v: vec2f) -> vec2f {
    workgroupBarrier();
    tile[thread] = vec4f(v, 0.0, 0.0);
    workgroupBarrier();
    for (var width = THREADS / 2u; width > 0u; width /= 2u) {
        if thread < width {
            tile[thread] += tile[thread + width];
        }
        workgroupBarrier();
    }
    return tile[0].xy;
}

// The largest of a workgroup's values; every thread gets it.
fn workgroup_max(thread: u32, v: f32) -> f32 {
    workgroupBarrier();
    tile[thread] = vec4f(v, 0.0, 0.0, 0.0);
    workgroupBarrier();
    for (var width = THREADS / 2u; width > 0u; width /= 2u) {
        if thread < width {
            tile[thread] = max(tile[thread], tile[thread + width]);
        }
        workgroupBarrier();
    }
    return tile[0].x;
}
