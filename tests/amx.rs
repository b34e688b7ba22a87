//! Products by AMX on processors that have none: they trap its instructions, and the handler here carries them out as Intel's manual says
//! (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS and its like). Where the processor has them, they run.
//!
//! A process of its own, since AMX counts as here in all of it.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[path = "kernels/bf16.rs"]
mod bf16;
#[allow(dead_code)] // other kernels need all of it
#[path = "kernels/fixture.rs"]
mod fixture;
#[path = "kernels/reference.rs"]
mod reference;
#[path = "kernels/sizes.rs"]
mod sizes;

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

use genelift::device::cpu::Way;

/// Instructions carried out.
static TRAPPED: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Copy)]
struct Tile {
    rows: usize,
    row_bytes: usize,
    values: [[u32; 16]; 16],
}

const NONE: Tile = Tile { rows: 0, row_bytes: 0, values: [[0; 16]; 16] };

thread_local! {
    static TILES: UnsafeCell<[Tile; 8]> = const { UnsafeCell::new([NONE; 8]) };
}

/// Ends the process, since nothing can unwind out of a signal's handler.
fn refuse(why: &str) -> ! {
    // SAFETY: may be called from a handler
    unsafe {
        libc::write(2, why.as_ptr().cast(), why.len());
        libc::write(2, c"\n".as_ptr().cast(), 1);
        libc::abort()
    }
}

/// General registers in the order of their numbers.
const REGISTERS: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// An operand in memory: its address, bytes from row to row, and how many bytes of code name it, the ModRM byte among them.
struct Place {
    address: usize,
    pitch: usize,
    length: usize,
}

/// SAFETY: `code` is at a ModRM byte that names memory.
unsafe fn place(code: *const u8, prefix: u8, registers: &libc::mcontext_t) -> Place {
    // bits of the prefix are stored inverted
    let (x, b) = (usize::from(!prefix >> 6 & 1) * 8, usize::from(!prefix >> 5 & 1) * 8);
    let register = |number: usize| registers.gregs[REGISTERS[number] as usize] as usize;
    // SAFETY: the processor took these bytes for an instruction
    unsafe {
        let (kind, low) = (*code >> 6, usize::from(*code & 7));
        let (mut at, mut pitch, mut base) = (1, 0, low + b);
        if low == 4 {
            let sib = *code.add(at);
            at += 1;
            let index = usize::from(sib >> 3 & 7) + x;
            pitch = if index == 4 { 0 } else { register(index) << (sib >> 6) };
            base = usize::from(sib & 7) + b;
        }
        if kind == 0 && base & 7 == 5 {
            refuse("an address without a base");
        }
        let offset = match kind {
            0 => 0,
            1 => isize::from(code.add(at).cast::<i8>().read()),
            _ => code.add(at).cast::<i32>().read_unaligned() as isize,
        };
        at += [0, 1, 4][usize::from(kind)];
        Place { address: register(base).wrapping_add_signed(offset), pitch, length: at }
    }
}

/// `tdpbf16ps`: even and odd neighbours are summed apart, then added.
fn multiply(sums: &mut Tile, left: &Tile, right: &Tile) {
    if sums.rows != left.rows
        || left.row_bytes != 4 * right.rows
        || sums.row_bytes != right.row_bytes
        || sums.rows == 0
    {
        refuse("tiles whose shapes do not fit");
    }
    let halves = |word: u32| [f32::from_bits(word << 16), f32::from_bits(word & 0xFFFF_0000)];
    for (sums, left) in sums.values.iter_mut().zip(&left.values).take(sums.rows) {
        let mut both = [[0.0f32; 2]; 16];
        for (word, right) in left.iter().zip(&right.values).take(right.rows) {
            let left = halves(*word);
            for (both, word) in both.iter_mut().zip(right) {
                let right = halves(*word);
                *both = [left[0].mul_add(right[0], both[0]), left[1].mul_add(right[1], both[1])];
            }
        }
        for (sum, [even, odd]) in sums.iter_mut().zip(both) {
            *sum = (f32::from_bits(*sum) + (even + odd)).to_bits();
        }
    }
}

extern "C" fn carry_out(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system hands over a context; code and operands are those of the instruction that trapped
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext;
        let code = registers.gregs[libc::REG_RIP as usize] as *const u8;
        let [vex, first, second, operation] = code.cast::<[u8; 4]>().read();
        if vex != 0xC4 || first & 0x1F != 2 {
            refuse("an instruction that is none of AMX");
        }
        let code = code.add(4);
        let (mode, tile) = (*code >> 6, usize::from(*code >> 3 & 7));
        let tiles = &mut *TILES.with(UnsafeCell::get);
        let length = match (operation, second & 3, mode) {
            (0x49, 0, 3) => {
                *tiles = [NONE; 8];
                1
            }
            (0x49, 0, _) => {
                let place = place(code, first, registers);
                let shapes = (place.address as *const [u8; 64]).read_unaligned();
                if shapes[0] != 1 || shapes[1..16].iter().any(|byte| *byte != 0) {
                    refuse("a configuration that is not of palette 1");
                }
                for (number, tile) in tiles.iter_mut().enumerate() {
                    let row_bytes =
                        usize::from(u16::from_le_bytes([shapes[16 + 2 * number], shapes[17 + 2 * number]]));
                    *tile = Tile { rows: shapes[48 + number].into(), row_bytes, ..NONE };
                    if tile.rows > 16 || row_bytes > 64 {
                        refuse("a tile that is too large");
                    }
                }
                place.length
            }
            (0x49, 3, 3) => {
                tiles[tile].values = NONE.values;
                1
            }
            (0x4B, way @ (2 | 3), 0..=2) => {
                let place = place(code, first, registers);
                let Tile { rows, row_bytes, values } = &mut tiles[tile];
                if *rows == 0 {
                    refuse("a tile that is not configured");
                }
                *values = if way == 3 { NONE.values } else { *values };
                for (row, values) in values.iter_mut().enumerate().take(*rows) {
                    let memory = place.address.wrapping_add(row.wrapping_mul(place.pitch)) as *mut u32;
                    match way {
                        3 => memory.copy_to(values.as_mut_ptr(), *row_bytes / 4),
                        _ => memory.copy_from(values.as_ptr(), *row_bytes / 4),
                    }
                }
                place.length
            }
            (0x5C, 2, 3) => {
                let (left, right) = (tiles[usize::from(*code & 7)], tiles[usize::from(!second >> 3 & 15)]);
                multiply(&mut tiles[tile], &left, &right);
                1
            }
            _ => refuse("an instruction that is none of AMX's for bf16"),
        };
        registers.gregs[libc::REG_RIP as usize] += 4 + length as i64;
    }
    TRAPPED.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn products_by_tiles_are_right() {
    if !is_x86_feature_detected!("avx512f") {
        return eprintln!("NOT RUN: this processor lacks AVX-512, by which operands are packed for AMX");
    }
    let native = Way::Amx.is_here();
    if !native {
        // SAFETY: the handler does what a handler may
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = carry_out as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()), 0);
        }
        Way::emulate_amx();
    }
    bf16::check(Way::Amx);
    let trapped = TRAPPED.load(Ordering::Relaxed);
    eprintln!(
        "by {}",
        if native { "the processor".into() } else { format!("{trapped} instructions carried out here") }
    );
    assert!(native || trapped > 10_000, "{trapped}");
}
