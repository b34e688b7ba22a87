//! Feeds a parser changed copies of real files, for machines without cargo-fuzz.
//!
//! `cargo run --release --example fuzz_parsers -- TARGET INPUTS [SEED]`: TARGET as in fuzz/drive.rs. An input that makes the
//! parser panic or takes more than ten seconds is kept beside the temporary file, and the run fails.

use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../fuzz/drive.rs"]
mod drive;
#[path = "../fuzz/seeds.rs"]
mod seeds;

use drive::Reached;

/// Pieces of text that parsers look at.
const WORDS: [&[u8]; 32] = [
    b"\t",
    b",",
    b";",
    b"\n",
    b"\r\n",
    b"\"",
    b"\"\"",
    b" ",
    b"-",
    b"+",
    b".",
    b"e",
    b"NA",
    b"nan",
    b"inf",
    b"0",
    b"1e999",
    b"18446744073709551615",
    b"4294967296",
    b"65536",
    b"-1",
    b"#",
    b"%",
    b"!Sample_characteristics_ch1\t\"a: b\"\n",
    b"\xff",
    b"\0",
    b"symmetric",
    b"array",
    b"pattern",
    b"!series_matrix_table_begin\n",
    b"True",
    b"PK\x03\x04",
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..1 + random.below(6) {
        // Headers matter most, so half of the changes fall on the first 200 bytes.
        let near = if random.below(2) == 0 { bytes.len().min(200) } else { bytes.len() };
        let at = random.below(near + 1).min(bytes.len());
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 if at < bytes.len() => bytes[at] = b'0' + random.below(10) as u8,
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            5 | 6 => {
                let word = WORDS[random.below(WORDS.len())];
                let end = if random.below(2) == 0 { at } else { end.min(at + word.len()) };
                bytes.splice(at..end, word.iter().copied());
            }
            7 => bytes.truncate(at),
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(200)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
    bytes
}

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let Some((_, format, ending)) = drive::TARGETS.iter().find(|(target, ..)| *target == name) else {
        let names: Vec<_> = drive::TARGETS.iter().map(|(name, ..)| name).collect();
        eprintln!("the targets are {names:?}");
        std::process::exit(2);
    };
    let inputs: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let seed: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let shared = Path::new("/dev/shm");
    let directory = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
    let path = directory.join(format!("fuzz-{name}-{}.{ending}", std::process::id()));
    let seeds = seeds::of(&name);
    // One thread runs everything: small inputs cost more to hand around than to read.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let failed = pool.install(|| run(&path, format, &seeds, inputs, seed));
    let _ = std::fs::remove_file(&path);
    std::process::exit(i32::from(failed));
}

fn run(path: &Path, format: &str, seeds: &[Vec<u8>], inputs: u64, seed: u64) -> bool {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (start, mut slowest, mut begun, mut whole, mut failed) = (Instant::now(), Duration::ZERO, 0, 0, 0);
    for input in 0..inputs {
        let bytes = mutate(&mut random, seeds);
        let before = Instant::now();
        let outcome = std::panic::catch_unwind(|| drive::drive(path, format, &bytes));
        let took = before.elapsed();
        slowest = slowest.max(took);
        begun += u64::from(outcome.as_ref().is_ok_and(|reached| *reached != Reached::Nothing));
        whole += u64::from(matches!(outcome, Ok(Reached::Whole)));
        if outcome.is_err() || took > Duration::from_secs(10) {
            failed += 1;
            let kept = path.with_extension(format!("failed-{input}"));
            std::fs::write(&kept, &bytes).expect("written");
            eprintln!(
                "input {input}: {} after {took:?}, kept as {}",
                if outcome.is_err() { "panic" } else { "slow" },
                kept.display()
            );
            if failed > 20 {
                break;
            }
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("?", str::trim);
    println!(
        "{inputs} inputs in {:.0} s, {begun} past the first check, {whole} read whole, {failed} failed, slowest {slowest:?}, peak memory {peak}",
        start.elapsed().as_secs_f64()
    );
    failed > 0
}
