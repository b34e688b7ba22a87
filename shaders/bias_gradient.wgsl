// Column sums of `params.block_rows` rows of a gradient, of QUADS quads a workgroup: threads sum every LANES-th row, then one another's
// sums. What becomes of them is the epilogue's business: the update where they are all rows, else partial results.
// #import shared/grid.wgsl
// #import shared/workgroup.wgsl
// #import shared/mask.wgsl

const LANES = THREADS / QUADS;

var<private> tile_slice: u32; // numbers the blocks of rows

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let workgroup = workgroup_index(id, count);
    let across = (params.quads + QUADS - 1u) / QUADS;
    tile_slice = workgroup / across;
    let begin = params.row_begin + tile_slice * params.block_rows;
    if begin >= params.row_end {
        return;
    }
    let end = min(begin + params.block_rows, params.row_end);
    let quad = workgroup % across * QUADS + thread % QUADS;
    var total = vec4f();
    for (var row = begin + thread / QUADS; row < end; row += LANES) {
        total += load_gradient(row, min(quad, params.quads - 1u));
    }
    tile[thread] = total;
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if thread < width * QUADS {
            tile[thread] += tile[thread + width * QUADS];
        }
    }
    if thread < QUADS && quad < params.quads {
        epilogue(0u, quad, 0u, 0u, tile[thread], fetch(0u, quad));
    }
}
