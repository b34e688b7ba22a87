#![no_main]
#[path = "../drive.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (_, format, ending) = *drive::TARGETS.iter().find(|(name, ..)| *name == "gmt").expect("a target");
    let path = std::env::temp_dir().join(format!("fuzz-{}.{ending}", std::process::id()));
    drive::drive(&path, format, bytes);
});
