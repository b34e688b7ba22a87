// How the 4 × 4 blocks of a workgroup's next piece of the operands are dealt out to its threads: A's blocks first, then B's.
// #import shared/tile.wgsl
// #import shared/blocks.wgsl

const A_BLOCKS = BM * BK / 16u;
const BLOCKS = A_BLOCKS + BN * BK / 16u;
const THREAD_BLOCKS = (BLOCKS + THREADS - 1u) / THREADS;

// Where a block lies in its tile, in blocks: neighbouring threads follow the operand's rows in memory.
fn spot(block: u32, transposed: bool, width: u32) -> vec2u {
    if transposed {
        return vec2u(block % width, block / width);
    }
    return vec2u(block / (BK / 4u), block % (BK / 4u));
}
