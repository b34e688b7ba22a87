//! Loops of constant length written out. Registers cannot be indexed: an array that a loop's variable indexes is kept in memory by a
//! compiler that does not unroll the loop, and drivers stop where bodies are long (on an H100 the weight gradient with Adam in its
//! epilogue took eleven times as long).
//!
//! A loop is written out where its line ends in `// unrolled`: `for (var i = 0u; i < COUNT; i++) { // unrolled`, closed by a `}` of
//! the same indentation. COUNT is made of numbers and of constants that the text declares.

use std::collections::HashMap;
use std::ops::Range;

/// `text` with every marked loop written out.
///
/// # Panics
/// Where a marked loop's length is not constant or its end is missing: a fault of the shader's text.
pub fn unroll(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let constants = constants(&lines);
    let mut out = String::with_capacity(4 * text.len());
    expand(&lines, &constants, &mut out);
    out
}

type Constants<'a> = HashMap<&'a str, u64>;

/// The unsigned constants that `const NAME = …;` declares, as far as they follow from those before them.
fn constants<'a>(lines: &[&'a str]) -> Constants<'a> {
    let mut known = Constants::new();
    for line in lines {
        let declared = line.strip_prefix("const ").and_then(|rest| rest.split(';').next()?.split_once(" = "));
        if let Some((name, value)) = declared
            && let Some(value) = evaluate(value, &known)
        {
            known.insert(name, value);
        }
    }
    known
}

/// Appends `lines`, loops written out from the outside in.
fn expand(lines: &[impl AsRef<str>], constants: &Constants, out: &mut String) {
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].as_ref();
        let Some((variable, count)) = marked(line) else {
            out.push_str(line);
            out.push('\n');
            at += 1;
            continue;
        };
        let count = evaluate(count, constants).unwrap_or_else(|| panic!("length of a loop: {line}"));
        let body = body(lines, at);
        for value in 0..count {
            let value = format!("{value}u");
            let turn: Vec<String> =
                lines[body.clone()].iter().map(|line| substitute(line.as_ref(), variable, &value)).collect();
            out.push_str("{\n");
            expand(&turn, constants, out);
            out.push_str("}\n");
        }
        at = body.end + 1;
    }
}

/// Variable and length of a loop that is to be written out.
fn marked(line: &str) -> Option<(&str, &str)> {
    let head = line.trim_start().strip_prefix("for (var ")?.strip_suffix("{ // unrolled")?;
    let (variable, rest) = head.split_once(" = 0u; ")?;
    let count = rest.strip_prefix(variable)?.strip_prefix(" < ")?.split(';').next()?;
    Some((variable, count))
}

/// The lines between a loop's first and its last, which has the same indentation.
fn body(lines: &[impl AsRef<str>], first: usize) -> Range<usize> {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let own = indentation(lines[first].as_ref());
    let ends = |line: &str| line.trim_start() == "}" && indentation(line) == own;
    let length = lines[first + 1..].iter().position(|line| ends(line.as_ref()));
    let length = length.unwrap_or_else(|| panic!("end of a loop: {}", lines[first].as_ref()));
    first + 1..first + 1 + length
}

/// Replaces a name where it stands alone.
fn substitute(line: &str, name: &str, value: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    for word in words(line) {
        out.push_str(if word == name { value } else { word });
    }
    out
}

/// Cuts text into names and numbers, and what is between them.
fn words(text: &str) -> Vec<&str> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut cuts = vec![0];
    let pairs = text.char_indices().zip(text.char_indices().skip(1));
    cuts.extend(pairs.filter(|((_, a), (_, b))| !part(*a) || !part(*b)).map(|(_, (at, _))| at));
    cuts.push(text.len());
    cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).filter(|word| !word.is_empty()).collect()
}

/// The value of `a + b * (c - 1u) / d`, or `None` where something in it is not known.
fn evaluate(text: &str, constants: &Constants) -> Option<u64> {
    let tokens: Vec<&str> = words(text).into_iter().filter(|word| !word.trim().is_empty()).collect();
    let mut tokens = tokens.as_slice();
    let value = sum(&mut tokens, constants)?;
    tokens.is_empty().then_some(value)
}

fn sum(tokens: &mut &[&str], constants: &Constants) -> Option<u64> {
    let mut value = product(tokens, constants)?;
    while let [sign @ ("+" | "-"), rest @ ..] = *tokens {
        *tokens = rest;
        let next = product(tokens, constants)?;
        value = if *sign == "+" { value.checked_add(next)? } else { value.checked_sub(next)? };
    }
    Some(value)
}

fn product(tokens: &mut &[&str], constants: &Constants) -> Option<u64> {
    let mut value = factor(tokens, constants)?;
    while let [sign @ ("*" | "/"), rest @ ..] = *tokens {
        *tokens = rest;
        let next = factor(tokens, constants)?;
        value = if *sign == "*" { value.checked_mul(next)? } else { value.checked_div(next)? };
    }
    Some(value)
}

fn factor(tokens: &mut &[&str], constants: &Constants) -> Option<u64> {
    let (first, rest) = tokens.split_first()?;
    *tokens = rest;
    if *first == "(" {
        let value = sum(tokens, constants)?;
        let (close, rest) = tokens.split_first()?;
        *tokens = rest;
        return (*close == ")").then_some(value);
    }
    constants.get(first).copied().or_else(|| first.strip_suffix('u').unwrap_or(first).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_written_out_from_constants() {
        let text = "const A = 8u;\nconst B = (A + 2u) / 4u - 1u;\nfn f() {\n    for (var i = 0u; i < B + 1u; i++) { // unrolled\n        \
                    x[i] += i_of(ii, i);\n        for (var j = 0u; j < A / 4u; j++) { // unrolled\n            y[i][j];\n        }\n    \
                    }\n    for (var i = 0u; i < A; i++) {\n        z[i];\n    }\n}\n";
        let out = unroll(text);
        let kept = |what: &str| out.matches(what).count();
        assert_eq!(
            (kept("x[0u] += i_of(ii, 0u);"), kept("x[1u] += i_of(ii, 1u);"), kept("x[2u]")),
            (1, 1, 0)
        );
        assert_eq!((kept("y[1u][0u];"), kept("y[1u][1u];"), kept("y[0u]"), kept("y[1u][2u]")), (1, 1, 2, 0));
        assert_eq!((kept("for (var i = 0u; i < A; i++) {"), kept("z[i];"), kept("unrolled")), (1, 1, 0));
        assert_eq!(kept("{"), kept("}"));
    }

    #[test]
    fn expressions_keep_their_precedence() {
        let constants = Constants::from([("N", 12)]);
        let value = |text| evaluate(text, &constants);
        assert_eq!(value("N * 2u + 3u * (N - 2u) / 5u"), Some(30));
        assert_eq!([value("N / 0u"), value("M"), value("(N"), value("N N"), value("1u - N")], [None; 5]);
    }

    #[test]
    #[should_panic(expected = "length of a loop")]
    fn a_loop_of_unknown_length_is_a_fault() {
        unroll("for (var i = 0u; i < params.rows; i++) { // unrolled\n}\n");
    }
}
