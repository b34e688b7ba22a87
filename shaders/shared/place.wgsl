// #import shared/grid.wgsl

// Four neighbouring columns of one row, of a rectangle that is `params.quads` quads wide.
struct Place {
    row: u32,
    quad: u32,
}

fn place(index: u32) -> Place {
    return Place(params.row_begin + index / params.quads, index % params.quads);
}
