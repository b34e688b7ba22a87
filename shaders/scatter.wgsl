// out[r] = (x − offset)·scale, where only what is not zero of row x is given (device/pairs.rs), zero from Step::rows on. `pairs` may be one of
// several pieces of the matrix: a call then writes the values it finds in its piece; FIRST writes all that are zero. A thread looks
// for its quad's pairs, since a quad may be one word of memory and so has to be written whole.
// #import shared/elementwise.wgsl
// #import shared/step.wgsl
fn start(row: u32) -> u32 {
    return load_starts(row / WORDS, (row % WORDS) / 4u)[row % 4u];
}

// A column and the bits of a value.
fn pair(index: u32) -> vec2u {
    let word = 2u * (index % (WORDS / 2u));
    let quad = load_pairs(params.heading + index / (WORDS / 2u), word / 4u);
    return select(quad.xy, quad.zw, word % 4u != 0u);
}

fn element(at: Place) {
    if at.row >= step.rows {
        if FIRST {
            store_out(at.row, at.quad, vec4f());
        }
        return;
    }
    let column = 4u * at.quad;
    let offset = load_offset(0u, at.quad);
    let scale = load_scale(0u, at.quad);
    let end = min(start(at.row + 1u), params.pairs_end);
    // the first pair of a column no smaller
    var low = max(start(at.row), params.pairs_begin);
    var high = max(low, end);
    while low < high {
        let middle = low + (high - low) / 2u;
        if pair(middle).x < column {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    var values = (vec4f() - offset) * scale;
    var found = FIRST;
    if !FIRST {
        values = load_out(at.row, at.quad);
    }
    for (var index = low; index < min(end, low + 4u); index++) {
        let next = pair(index);
        if next.x < column + 4u {
            let lane = next.x - column;
            values[lane] = (bitcast<f32>(next.y) - offset[lane]) * scale[lane];
            found = true;
        }
    }
    if found {
        store_out(at.row, at.quad, values);
    }
}
