// 4 × 4 blocks of the operands, in whichever layout: column c of a block belongs to k + c and holds four
// neighbouring rows of A (columns of B). Indices past the tile's end are clamped: what they give is not used.
// #import shared/half.wgsl

fn operand_a(row: u32, quad: u32) -> vec4f {
    let v = load_a(row, quad);
    if ROUND_A {
        return unpack_half(pack_half(v));
    }
    return v;
}

fn operand_b(row: u32, quad: u32) -> vec4f {
    let v = load_b(row, quad);
    if ROUND_B {
        return unpack_half(pack_half(v));
    }
    return v;
}

// Aᵀ stored: rows m.. of A are the columns m.. of its row k. A segment may start between two quads.
fn across_a(k: u32, m: u32) -> vec4f {
    let last = (row_end - 1u) / 4u;
    let low = operand_a(k, min(m / 4u, last));
    if !SHIFTED {
        return low;
    }
    let high = operand_a(k, min(m / 4u + 1u, last));
    switch m % 4u {
        case 1u: { return vec4f(low.yzw, high.x); }
        case 2u: { return vec4f(low.zw, high.xy); }
        case 3u: { return vec4f(low.w, high.xyz); }
        default: { return low; }
    }
}

fn block_a(m: u32, k: u32) -> mat4x4f {
    if A_TRANSPOSED {
        return mat4x4f(across_a(k, m), across_a(k + 1u, m), across_a(k + 2u, m), across_a(k + 3u, m));
    }
    let last = row_end - 1u;
    let quad = k / 4u;
    return transpose(mat4x4f(
        operand_a(min(m, last), quad),
        operand_a(min(m + 1u, last), quad),
        operand_a(min(m + 2u, last), quad),
        operand_a(min(m + 3u, last), quad),
    ));
}

fn block_b(quad: u32, k: u32) -> mat4x4f {
    let q = min(quad, params.quad_end - 1u);
    if B_TRANSPOSED {
        let row = q * 4u;
        return transpose(mat4x4f(
            operand_b(row, k / 4u),
            operand_b(row + 1u, k / 4u),
            operand_b(row + 2u, k / 4u),
            operand_b(row + 3u, k / 4u),
        ));
    }
    return mat4x4f(operand_b(k, q), operand_b(k + 1u, q), operand_b(k + 2u, q), operand_b(k + 3u, q));
}
