//! What a shader imports: lines `// #import PATH`, however they are spaced. The build reads them too, so that it misses none.

/// Paths under `shaders/`, in the order of a file's lines.
pub fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let path = line.trim_start().strip_prefix("//")?.trim_start().strip_prefix("#import")?;
        Some(path.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::imports;

    #[test]
    fn imports_are_found_however_they_are_spaced() {
        let text = "// #import a.wgsl\n  // #import b.wgsl\n//#import  c.wgsl \n//\t#import\td.wgsl\r\nlet x = 1; // of #import\n// e.wgsl";
        assert_eq!(imports(text).collect::<Vec<_>>(), ["a.wgsl", "b.wgsl", "c.wgsl", "d.wgsl"]);
    }
}
