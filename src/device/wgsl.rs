//! Shader files by name, checked when this crate is built.

/// Whether a text declares every one of these functions.
pub const fn declares(text: &str, functions: &[&str]) -> bool {
    let mut i = 0;
    while i < functions.len() {
        if !has(text.as_bytes(), functions[i].as_bytes()) {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether `fn ` and then `what` begins a line.
const fn has(text: &[u8], what: &[u8]) -> bool {
    let mut start = 0;
    while start < text.len() {
        if begins(text, start, b"fn ") && begins(text, start + 3, what) {
            return true;
        }
        while start < text.len() && text[start] != b'\n' {
            start += 1;
        }
        start += 1;
    }
    false
}

const fn begins(text: &[u8], start: usize, what: &[u8]) -> bool {
    let mut i = 0;
    while i < what.len() {
        if start + i >= text.len() || text[start + i] != what[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A file's path under `shaders/`. One that is not there, or lacks one of the functions, ends the build.
macro_rules! wgsl {
    ($name:expr) => {
        $crate::device::wgsl::wgsl!($name, [])
    };
    ($name:expr, [$($function:literal),*]) => {{
        const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name));
        const _: () = assert!($crate::device::wgsl::declares(TEXT, &[$($function),*]), "a function lacks in the shader");
        $name
    }};
}
pub(crate) use wgsl;

#[test]
fn a_function_is_found_where_it_is_declared() {
    let text = "// fn b()\nfn a(z: f32) {\n    fn c() {}\n}\nfn d() {}";
    let has = |function| declares(text, &[function]);
    assert_eq!(["a(z: f32)", "b()", "c()", "d()", "e()"].map(has), [true, false, false, true, false]);
    assert!(declares(text, &["a(", "d("]) && !declares(text, &["a(", "b("]));
}
