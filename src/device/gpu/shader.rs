//! Shader text: the files under `shaders/`, their imports, and the prelude that makes one variant of a kernel.
//!
//! A kernel's file reads its operands through functions (`load_x(row, quad)`, `store_x(row, quad, v)`, a quad
//! being four neighbouring columns), its static arguments through `params.…`, and its variant through
//! constants. [`Kernel`] generates all three from one list, so the two sides cannot disagree.

use std::collections::HashSet;
use std::fmt::{Display, Write};

use super::chunks::{Chunking, View};
use super::unroll::unroll;
use crate::device::declared::{self, Declared, Number};
use crate::device::recording::Element;
use crate::device::wgsl;

mod imports;

/// Every shader file, by its path under `shaders/`, as the build found them.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shaders.rs"));

/// Their paths. In the text of a kernel each stands in a line of its own, `// PATH`, before what is in it.
pub fn shader_files() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Appends `file` after what it imports (`// #import path`, once each).
fn append(text: &mut String, file: &'static str, done: &mut HashSet<&'static str>) {
    if !done.insert(file) {
        return;
    }
    let (_, source) = FILES.iter().find(|(name, _)| *name == file).expect("a file named in this crate");
    for import in imports::imports(source) {
        append(text, import, done);
    }
    let _ = writeln!(text, "// {file}");
    text.push_str(source);
}

/// Memory that lives within one call: partial sums between two kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scratch {
    /// Slices of a split product, blocks of column sums: vec4f.
    Partial,
    /// Pairs of sums, one a workgroup: vec2f.
    Pairs,
    /// DeepLIFT's column sums, a row of quads per tile row: vec4f.
    Scores,
    /// Row sums of DeepLIFT and of counts, one a tile column and row: f32.
    Sums,
}

impl Scratch {
    /// How many there are; a program has one buffer for each.
    pub const COUNT: usize = 4;

    fn name_and_type(self) -> (&'static str, &'static str) {
        match self {
            Scratch::Partial => ("partial", "vec4f"),
            Scratch::Pairs => ("pairs", "vec2f"),
            Scratch::Scores => ("score_partial", "vec4f"),
            Scratch::Sums => ("sum_partial", "f32"),
        }
    }
}

/// What is bound at `@group(0) @binding(i + 1)`; binding 0 holds the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// A whole chunk of a matrix.
    Matrix(View),
    /// The program's scratch memory.
    Scratch(Scratch),
}

/// One variant of a kernel together with the arguments of one dispatch.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    files: Vec<&'static str>,
    enables: String,
    prelude: String,
    fields: String,
    /// The words of the uniform `params`.
    pub params: Vec<u32>,
    /// Storage bindings, from binding 1 on.
    pub bound: Vec<Bound>,
    /// Of each binding: name and element type of its array, and whether it is written.
    arrays: Vec<(String, &'static str, bool)>,
    operands: Vec<Operand>,
    native_half: bool,
}

/// A matrix by the name that the kernel's files know it by.
#[derive(Debug, Clone)]
struct Operand {
    name: String,
    /// Its binding's place in `arrays`.
    array: usize,
    element: Element,
    write: bool,
    /// Its array is of f16, where the shader has that type.
    native: bool,
    /// Also read as `halves`.
    halves: bool,
}

impl Operand {
    /// `load_name(row, quad)` and `store_name(row, quad, v)`, `halves_name(row, quad)`; where `guarded`, `outside(row)` is called before what would be
    /// outside the array.
    fn accessors(&self, array: &str, guarded: bool) -> String {
        let Operand { name, write, .. } = self;
        let (value, unpack, pack) = match self.element {
            Element::F32 => ("vec4f", "", ""),
            Element::U32 => ("vec4u", "", ""),
            Element::F16 if self.native => ("vec4f", "vec4f", "vec4<f16>"),
            Element::F16 => ("vec4f", "unpack_half", "pack_half"),
            Element::Bf16 => unreachable!("refused where a matrix is made"),
        };
        let at = format!("(row - params.{name}_first) * params.{name}_quads + quad");
        let guard = match guarded {
            true => format!("if {at} >= arrayLength(&{array}) {{ outside(row); }} "),
            false => String::new(),
        };
        let mut text = format!(
            "fn load_{name}(row: u32, quad: u32) -> {value} {{ {guard}return {unpack}({array}[{at}]); }}\n"
        );
        if self.halves {
            let value = match (self.native, self.element) {
                (true, Element::F16) => format!("{array}[{at}]"),
                (true, _) => format!("vec4<f16>({array}[{at}])"),
                (false, _) => format!("operand_{name}(row, quad)"),
            };
            let _ = writeln!(
                text,
                "fn halves_{name}(row: u32, quad: u32) -> halves {{ {guard}return {value}; }}"
            );
        }
        if *write {
            let _ = writeln!(
                text,
                "fn store_{name}(row: u32, quad: u32, v: {value}) {{ {guard}{array}[{at}] = {pack}(v); }}"
            );
        }
        text
    }
}

impl Kernel {
    /// A kernel made of these files and what they import.
    pub fn new(files: &[&'static str]) -> Self {
        Kernel { files: files.to_vec(), ..Kernel::default() }
    }

    /// Adds a file.
    pub fn file(&mut self, file: &'static str) -> &mut Self {
        self.files.push(file);
        self
    }

    /// Binds what is declared, from row `first` of the result on.
    pub fn bind(&mut self, operands: &[declared::Operand], chunking: Chunking, first: usize) -> &mut Self {
        for operand in operands {
            match operand.matrix {
                None => self.absent(operand.name, Element::F32),
                Some(matrix) => {
                    let view = chunking.view(matrix, first % matrix.rows);
                    if operand.write { self.write(operand.name, view) } else { self.read(operand.name, view) }
                }
            };
        }
        self
    }

    /// Adds the functions, constants and arguments that are declared.
    pub fn declare(&mut self, declared: &Declared) -> &mut Self {
        self.files.extend(&declared.functions);
        for (name, value) in &declared.constants {
            self.constant(name, value);
        }
        for (name, number) in &declared.numbers {
            match *number {
                Number::Uint(value) => self.uint(name, value),
                Number::Word(value) => self.word(name, value),
                Number::Float(value) => self.float(name, value),
            };
        }
        self
    }

    /// The whole WGSL text. `guarded`: reaching outside a matrix makes the first values of what the kernel writes NaN.
    pub fn source(&self, guarded: bool) -> String {
        let mut text = self.enables.clone() + &self.prelude;
        let written = self.arrays.iter().find(|(.., write)| *write);
        if let Some((name, element, _)) = written.filter(|_| guarded) {
            let nan = match *element {
                "vec2u" => "vec2u(0x7e007e00u)",
                "vec4<f16>" => "vec4f(bitcast<f32>(0x7fc00000u | row))",
                _ => "bitcast<f32>(0x7fc00000u | row)",
            };
            let _ = writeln!(text, "fn outside(row: u32) {{ {name}[0] = {element}({nan}); }}");
        }
        for operand in &self.operands {
            text += &operand.accessors(&self.arrays[operand.array].0, guarded);
        }
        for ((name, element, write), binding) in self.arrays.iter().zip(1..) {
            let access = if *write { "read_write" } else { "read" };
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;"
            );
        }
        let _ = writeln!(text, "struct Params {{\n{}}}", self.fields);
        text.push_str("@group(0) @binding(0) var<uniform> params: Params;\n");
        let mut done = HashSet::new();
        for file in &self.files {
            append(&mut text, file, &mut done);
        }
        if self.packs_half() {
            append(&mut text, wgsl!("shared/half.wgsl"), &mut done);
        }
        unroll(&text)
    }

    fn packs_half(&self) -> bool {
        self.operands.iter().any(|operand| operand.element == Element::F16 && !operand.native)
    }

    /// The type f16, also of what is bound from here on.
    pub fn native_half(&mut self) -> &mut Self {
        self.native_half = true;
        self.enable("f16").alias("halves", "vec4<f16>")
    }

    /// A language extension.
    pub fn enable(&mut self, extension: &str) -> &mut Self {
        let _ = writeln!(self.enables, "enable {extension};");
        self
    }

    /// Another name for a type.
    pub fn alias(&mut self, name: &str, ty: &str) -> &mut Self {
        let _ = writeln!(self.prelude, "alias {name} = {ty};");
        self
    }

    /// `const name = value;`, part of the variant.
    pub fn constant(&mut self, name: &str, value: impl Display) -> &mut Self {
        let _ = writeln!(self.prelude, "const {name} = {value};");
        self
    }

    /// `const name = valueu;`
    pub fn size(&mut self, name: &str, value: usize) -> &mut Self {
        self.constant(name, format_args!("{value}u"))
    }

    /// `params.name`, an unsigned integer.
    pub fn uint(&mut self, name: &str, value: usize) -> &mut Self {
        self.word(name, u32::try_from(value).expect("rows and columns of matrices fit 32 bits"))
    }

    /// `params.name`, all 32 bits of it.
    pub fn word(&mut self, name: &str, value: u32) -> &mut Self {
        let _ = writeln!(self.fields, "    {name}: u32,");
        self.params.push(value);
        self
    }

    /// `params.name`, a float.
    pub fn float(&mut self, name: &str, value: f32) -> &mut Self {
        let _ = writeln!(self.fields, "    {name}: f32,");
        self.params.push(value.to_bits());
        self
    }

    /// Binds `view` for reading as `load_name(row, quad)`.
    pub fn read(&mut self, name: &str, view: View) -> &mut Self {
        self.matrix(name, view, false)
    }

    /// Gives `halves_name(row, quad)` too: a quad's values in f16 where the shader has that type (rounded by the driver where they are not
    /// stored so), what `operand_name` gives elsewhere.
    pub fn halved(&mut self, name: &str) -> &mut Self {
        self.operands
            .iter_mut()
            .filter(|operand| operand.name == name)
            .for_each(|operand| operand.halves = true);
        self
    }

    /// Binds `view` for reading and writing: `load_name`, `store_name`.
    pub fn write(&mut self, name: &str, view: View) -> &mut Self {
        self.matrix(name, view, true)
    }

    /// An operand that this variant has not: loads give zeros, stores do nothing.
    pub fn absent(&mut self, name: &str, element: Element) -> &mut Self {
        let v = if element == Element::U32 { "vec4u" } else { "vec4f" };
        let _ = writeln!(self.prelude, "fn load_{name}(row: u32, quad: u32) -> {v} {{ return {v}(); }}");
        let _ = writeln!(self.prelude, "fn store_{name}(row: u32, quad: u32, v: {v}) {{}}");
        self
    }

    /// Binds scratch memory as a plain array.
    pub fn scratch(&mut self, scratch: Scratch) -> &mut Self {
        let (name, element) = scratch.name_and_type();
        self.bound.push(Bound::Scratch(scratch));
        self.arrays.push((name.to_owned(), element, true));
        self
    }

    /// One chunk is bound once, whatever it is called: an output may overwrite an operand.
    fn matrix(&mut self, name: &str, view: View, write: bool) -> &mut Self {
        let element = view.matrix.element;
        let stored = match element {
            Element::F32 => "vec4f",
            Element::U32 => "vec4u",
            Element::F16 if self.native_half => "vec4<f16>",
            Element::F16 => "vec2u",
            Element::Bf16 => unreachable!("refused where a matrix is made"),
        };
        let bound = Bound::Matrix(view);
        let index = self.bound.iter().position(|b| *b == bound).unwrap_or_else(|| {
            self.bound.push(bound);
            self.arrays.push((format!("{name}_data"), stored, false));
            self.bound.len() - 1
        });
        self.arrays[index].2 |= write;
        self.uint(&format!("{name}_first"), view.first);
        self.uint(&format!("{name}_quads"), view.matrix.pitch() / 4);
        self.operands.push(Operand {
            name: name.to_owned(),
            array: index,
            element,
            write,
            native: self.native_half,
            halves: false,
        });
        self
    }
}
