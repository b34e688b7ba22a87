// More than 65,535 workgroups are folded into y: a kernel sees one linear index and skips what is past its end.
fn workgroup_index(id: vec3u, count: vec3u) -> u32 {
    return id.y * count.x + id.x;
}
