// matmul_cooperative.wgsl for adapters without cooperative matrices, to test everything else in it: a thread keeps 8 columns of one
// row of each of its group's eight 16 × 16 products.
// #import shared/grid.wgsl
// #import shared/half_tiles.wgsl

fn kept_a(row: u32, k: u32) -> f32 {
    if A_TRANSPOSED {
        return half_a[k * A_QUADS + row / 4u][row % 4u];
    }
    return half_a[row * A_QUADS + k / 4u][k % 4u];
}

fn kept_b(column: u32, k: u32) -> f32 {
    if B_TRANSPOSED {
        return half_b[column * B_QUADS + k / 4u][k % 4u];
    }
    return half_b[k * B_QUADS + column / 4u][column % 4u];
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) count: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if !locate(workgroup_index(id, count), thread) {
        return;
    }
    let k_begin = params.k_begin + tile_slice * params.k_step;
    let k_end = min(k_begin + params.k_step, params.k_end);
    let group = thread / 32u;
    let down = group / 4u * 16u + thread % 32u / 2u;
    let across = group % 4u * 32u + thread % 2u * 8u;

    var c: array<f32, 64>;
    for (var k = k_begin; k < k_end; k += BK) {
        workgroupBarrier();
        for (var i = 0u; i < A_SHARE; i++) {
            keep_a(thread, i, fetch_a(thread, i, k, k_end));
        }
        for (var i = 0u; i < B_SHARE; i++) {
            keep_b(thread, i, fetch_b(thread, i, k, k_end));
        }
        if k + BK > k_end {
            for (var i = 0u; i < A_SHARE; i++) {
                clear_a(thread, i, k_end - k);
            }
        }
        workgroupBarrier();
        for (var kk = 0u; kk < BK; kk++) {
            for (var s = 0u; s < 4u; s++) {
                let a = kept_a(s * STRIP + down, kk);
                for (var n = 0u; n < 16u; n++) {
                    c[s * 16u + n] += a * kept_b(across + n / 8u * 16u + n % 8u, kk);
                }
            }
        }
    }

    workgroupBarrier();
    fetch_strip(0u);
    for (var s = 0u; s < 4u; s++) {
        for (var n = 0u; n < 16u; n++) {
            let column = across + n / 8u * 16u + n % 8u;
            tile[down * STRIP_QUADS + column / 4u][column % 4u] = c[s * 16u + n];
        }
        consume(s);
    }
    finish(thread);
}
