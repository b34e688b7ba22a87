//! The kernel of AMX, the matrix units of Intel's server processors since 2023: eight registers hold tiles of 16 rows × 64 bytes, and one
//! instruction multiplies two tiles of bf16 pairs and adds to a third of f32 sums.
//!
//! A tile of the right operand is sixteen pairs × sixteen columns, which is how slivers are packed; of the left operand sixteen rows × sixteen
//! pairs that lie one after another. Four tiles of sums with two of each operand: a tile is loaded for every product, half of what the units
//! could take in.

use std::arch::asm;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Left, SLIVER};

/// Rows and pairs of a tile, and its words in a row.
pub const TILE: usize = 16;
/// Rows and columns of a block of sums: two tiles each.
const BLOCK: usize = 2 * TILE;

static EMULATED: AtomicBool = AtomicBool::new(false);

/// Takes tiles for granted, since the process carries out itself what its processor refuses: for tests.
pub fn emulate() {
    EMULATED.store(true, Ordering::Relaxed);
}

/// Whether the processor has tiles of bf16 and the system lets this process use them.
pub fn granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| has_tiles() && asked()) || EMULATED.load(Ordering::Relaxed)
}

fn has_tiles() -> bool {
    const BF16: u32 = 1 << 22;
    const TILES: u32 = 1 << 24;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // operands are transposed in registers of AVX-512
    is_x86_feature_detected!("avx512f")
        && __cpuid(0).eax >= 7
        && __cpuid_count(7, 0).edx & (BF16 | TILES) == BF16 | TILES
}

/// Linux keeps the eight kilobytes of tiles for those processes that ask for it, once for all their threads.
#[cfg(target_os = "linux")]
fn asked() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: takes no address
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn asked() -> bool {
    false
}

/// What `ldtilecfg` reads: how many rows of how many bytes each register holds.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// out (rows × cols, `cols` words apart) = or += left · right, over so many pairs.
///
/// # Safety
/// Tiles are [`granted`]; all words of `left` that the shape names can be read, pairs one after another; `right` holds slivers of pairs rounded up
/// to whole tiles, with zeros; `out` holds the result.
pub unsafe fn multiply(
    left: &Left,
    right: &[u32],
    out: *mut f32,
    (rows, cols, pairs): (usize, usize, usize),
    add: bool,
) {
    debug_assert!(left.pair == 1 && right.len() >= pairs.next_multiple_of(TILE) * cols);
    let whole = rows / BLOCK * BLOCK;
    for (from, to) in [(0, whole), (whole, rows)] {
        if from == to {
            continue;
        }
        let height = BLOCK.min(to - from);
        // SAFETY: as the caller says
        unsafe { configure(height) };
        for col in (0..cols).step_by(BLOCK) {
            let sliver = col / SLIVER * SLIVER;
            let width = SLIVER.min(cols - sliver);
            for row in (from..to).step_by(BLOCK) {
                // SAFETY: the block lies within the operands and the result; the caller answers for those
                unsafe {
                    let words = right.as_ptr().add(sliver * pairs.next_multiple_of(TILE) + col % SLIVER);
                    let block = Block {
                        left: left.words.add(row * left.row),
                        left_pitch: left.row,
                        right: words,
                        right_pitch: width,
                        out: out.add(row * cols + col),
                        out_pitch: cols,
                        height,
                        wide: cols - col > TILE,
                    };
                    block.multiply(pairs, add);
                }
            }
        }
    }
    // SAFETY: they are granted
    unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
}

/// Makes tiles for blocks of so many rows. One that has no rows keeps one, whose results go nowhere, so that one kernel serves all.
unsafe fn configure(height: usize) {
    let halves = [height.min(TILE), height.saturating_sub(TILE).max(1)].map(|rows| rows as u8);
    let [upper, lower] = halves;
    let mut shapes =
        Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    shapes.row_bytes[..8].fill(4 * TILE as u16);
    // sums of upper and lower rows, the left operand's tiles, the right operand's
    shapes.rows[..8].copy_from_slice(&[upper, upper, lower, lower, upper, lower, TILE as u8, TILE as u8]);
    // SAFETY: reads 64 bytes
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly, preserves_flags)) };
}

/// Where tiles of sums lie, and the bytes from one row to the next.
#[repr(C)]
struct Sums {
    at: [*mut f32; 4],
    pitch: [usize; 4],
}

/// At most 32 × 32 sums and what they are made of; pitches in words.
struct Block {
    left: *const u32,
    left_pitch: usize,
    right: *const u32,
    right_pitch: usize,
    out: *mut f32,
    out_pitch: usize,
    height: usize,
    /// Whether it has more than sixteen columns.
    wide: bool,
}

impl Block {
    unsafe fn multiply(&self, pairs: usize, add: bool) {
        // A tile that the block has no rows or columns for is a single row of memory, over and over.
        let mut nowhere = [0.0f32; TILE];
        let nowhere = nowhere.as_mut_ptr();
        let deep = self.height > TILE;
        let second = if deep { TILE * self.left_pitch } else { 0 };
        // SAFETY: all these lie within the result
        let sums = unsafe {
            let below = self.out.add(if deep { TILE * self.out_pitch } else { 0 });
            let tiles = [
                (true, self.out),
                (self.wide, self.out.wrapping_add(TILE)),
                (deep, below),
                (deep && self.wide, below.wrapping_add(TILE)),
            ];
            Sums {
                at: tiles.map(|(here, at)| if here { at } else { nowhere }),
                pitch: tiles.map(|(here, _)| if here { 4 * self.out_pitch } else { 0 }),
            }
        };
        let across = if self.wide { TILE } else { 0 };
        let (steps, rest) = (pairs / TILE, pairs % TILE);
        // SAFETY: steps × 16 pairs of both operands are there
        unsafe {
            if steps > 0 {
                let left = [self.left, self.left.add(second)];
                let right = [self.right, self.right.add(across)];
                run(left, self.left_pitch, right, self.right_pitch, steps, add, &sums);
            }
            if rest > 0 {
                // what lies behind the last pair may be another row, or nobody's: the rest is copied beside zeros
                let mut room = [[0u32; TILE]; BLOCK];
                for (row, room) in room[..self.height].iter_mut().enumerate() {
                    let words = self.left.add(row * self.left_pitch + steps * TILE);
                    room[..rest].copy_from_slice(std::slice::from_raw_parts(words, rest));
                }
                let left = [room[0].as_ptr(), room[if deep { TILE } else { 0 }].as_ptr()];
                let first = self.right.add(steps * TILE * self.right_pitch);
                let right = [first, first.add(across)];
                run(left, TILE, right, self.right_pitch, 1, add || steps > 0, &sums);
            }
        }
    }
}

/// Sums in tiles over so many steps of sixteen pairs.
unsafe fn run(
    left: [*const u32; 2],
    left_pitch: usize,
    right: [*const u32; 2],
    right_pitch: usize,
    steps: usize,
    add: bool,
    sums: &Sums,
) {
    macro_rules! summed {
        ($($begin:literal)*) => {
            asm!(
                $($begin,)*
                "2:",
                "tileloadd tmm4, [{upper} + {left_pitch}*1]",
                "tileloadd tmm6, [{first} + {right_pitch}*1]",
                "tileloadd tmm7, [{second} + {right_pitch}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{lower} + {left_pitch}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {upper}, 64",
                "add {lower}, 64",
                "add {first}, {step}",
                "add {second}, {step}",
                "dec {steps}",
                "jnz 2b",
                "mov {at}, [{sums}]",
                "mov {pitch}, [{sums} + 32]",
                "tilestored [{at} + {pitch}*1], tmm0",
                "mov {at}, [{sums} + 8]",
                "mov {pitch}, [{sums} + 40]",
                "tilestored [{at} + {pitch}*1], tmm1",
                "mov {at}, [{sums} + 16]",
                "mov {pitch}, [{sums} + 48]",
                "tilestored [{at} + {pitch}*1], tmm2",
                "mov {at}, [{sums} + 24]",
                "mov {pitch}, [{sums} + 56]",
                "tilestored [{at} + {pitch}*1], tmm3",
                upper = inout(reg) left[0] => _,
                lower = inout(reg) left[1] => _,
                first = inout(reg) right[0] => _,
                second = inout(reg) right[1] => _,
                steps = inout(reg) steps => _,
                left_pitch = in(reg) 4 * left_pitch,
                right_pitch = in(reg) 4 * right_pitch,
                step = in(reg) 4 * TILE * right_pitch,
                sums = in(reg) sums,
                at = out(reg) _,
                pitch = out(reg) _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            )
        };
    }
    // SAFETY: the caller answers for the addresses; tiles are configured for these shapes
    unsafe {
        match add {
            false => summed!("tilezero tmm0" "tilezero tmm1" "tilezero tmm2" "tilezero tmm3"),
            true => summed!(
                "mov {at}, [{sums}]"
                "mov {pitch}, [{sums} + 32]"
                "tileloadd tmm0, [{at} + {pitch}*1]"
                "mov {at}, [{sums} + 8]"
                "mov {pitch}, [{sums} + 40]"
                "tileloadd tmm1, [{at} + {pitch}*1]"
                "mov {at}, [{sums} + 16]"
                "mov {pitch}, [{sums} + 48]"
                "tileloadd tmm2, [{at} + {pitch}*1]"
                "mov {at}, [{sums} + 24]"
                "mov {pitch}, [{sums} + 56]"
                "tileloadd tmm3, [{at} + {pitch}*1]"
            ),
        }
    }
}
