// Quads of the operands and 4 × 4 blocks of them, in whichever layout. Rows of A and columns of B past the tile's end are
// clamped: what they give is not used.
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

// k..k + 3 of row m of A, where A is stored by rows.
fn along_a(m: u32, k: u32) -> vec4f {
    return operand_a(min(m, row_end - 1u), k / 4u);
}

// k..k + 3 of column n of B, where Bᵀ is stored by rows.
fn along_b(n: u32, k: u32) -> vec4f {
    return operand_b(min(n / 4u, params.quad_end - 1u) * 4u + n % 4u, k / 4u);
}

// Rows m..m + 3 of A at k, where Aᵀ is stored by rows. A segment may start between two quads.
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

// A quad of columns of B at k, where B is stored by rows.
fn across_b(k: u32, quad: u32) -> vec4f {
    return operand_b(k, min(quad, params.quad_end - 1u));
}

// Column c of a block belongs to k + c and holds four neighbouring rows of A.
fn block_a(m: u32, k: u32) -> mat4x4f {
    if A_TRANSPOSED {
        return mat4x4f(across_a(k, m), across_a(k + 1u, m), across_a(k + 2u, m), across_a(k + 3u, m));
    }
    return transpose(mat4x4f(along_a(m, k), along_a(m + 1u, k), along_a(m + 2u, k), along_a(m + 3u, k)));
}

// The same of B: four neighbouring columns.
fn block_b(quad: u32, k: u32) -> mat4x4f {
    if B_TRANSPOSED {
        let n = quad * 4u;
        return transpose(mat4x4f(along_b(n, k), along_b(n + 1u, k), along_b(n + 2u, k), along_b(n + 3u, k)));
    }
    return mat4x4f(across_b(k, quad), across_b(k + 1u, quad), across_b(k + 2u, quad), across_b(k + 3u, quad));
}
