// More than 65,535 workgroups are folded into y: a kernel sees one linear index and skips what is past its end.
fn workgroup_index(id: vec3u, count: vec3u) -> u32 {
    return id.y * count.x + id.x;
}

// Four neighbouring columns of one row, of a rectangle that is `params.quads` quads wide.
struct Place {
    row: u32,
    quad: u32,
}

fn place(index: u32) -> Place {
    return Place(params.row_begin + index / params.quads, index % params.quads);
}
