//! Reads a matrix file and makes nothing of it: what parsing alone takes.
//!
//! `cargo run --release --example read_matrix -- FILE`

fn main() -> genelift::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let start = std::time::Instant::now();
    let mut file = genelift::formats::open(path.as_ref(), &Default::default())?;
    let (mut ids, mut values, mut n) = (Vec::new(), Vec::new(), 0);
    while file.blocks.next(&mut ids, &mut values)? {
        n += values.len();
        values.clear();
    }
    println!("{n} values in {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}
