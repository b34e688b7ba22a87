//! Every shader variant that an adapter may be given is valid WGSL, can be written as SPIR-V (Vulkan), MSL
//! (Metal) and HLSL (DX12), and needs at most 16 KiB of workgroup memory. No GPU is needed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use genelift::device::activation::SlopeOf;
use genelift::device::gpu::{Kind, Options, Tile, shader_files, shaders};
use genelift::device::pairs;
use genelift::device::recording::*;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

fn matrix(rows: usize, cols: usize, element: Element) -> Matrix {
    static LAST: AtomicU32 = AtomicU32::new(0);
    Matrix { id: LAST.fetch_add(1, Ordering::Relaxed), generation: 0, rows, cols, element }
}

fn updates() -> Vec<Update> {
    let [value, first, second] = [(); 3].map(|()| matrix(70, 90, Element::F32));
    let mut all = vec![Update::Store { value, out: value, l2: 0.1 }];
    for rounded in [None, Some(matrix(70, 90, Element::F16))] {
        let (l2, beta1, beta2, epsilon) = (0.1, 0.9, 0.9, 1e-7);
        all.push(Update::Adam { value, first, second, rounded, l2, beta1, beta2, epsilon });
        all.push(Update::Sgd { value, velocity: first, rounded, l2, momentum: 0.5, rate: 3.0 });
    }
    all
}

/// All epilogues of a 70 × 90 product (14 samples, 5 seeds), with outputs of type `element`.
fn epilogues(element: Element) -> Vec<Epilogue> {
    let out = matrix(70, 90, element);
    let row = matrix(1, 90, Element::F32);
    let table = matrix(3, 2, Element::F32);
    let mut all = vec![Epilogue::Store { out }];
    all.push(Epilogue::Multiply { by: matrix(14, 90, element), out });
    all.push(Epilogue::Add { out: matrix(70, 90, Element::F32) });
    let items = matrix(1, 70, Element::F32);
    all.push(Epilogue::Count { own: items, counts: matrix(1, 70, Element::F32), first: 0 });
    let mixture = Mixture { linear: 0.5, radial: 2.0, slope: 0.1 };
    all.push(Epilogue::Kernel { mixture, lengths: items, others: row, out });
    all.extend(updates().into_iter().map(Epilogue::Update));
    for fold in [Fold::Abs, Fold::Signed, Fold::Square] {
        all.push(Epilogue::DeepLift {
            difference: matrix(14, 90, element),
            fold,
            scores: matrix(5, 90, Element::F32),
            sums: matrix(5, 14, Element::F32),
        });
    }
    for activation in Activation::ALL.iter().copied() {
        for dropout in [None, Some(Dropout { rate: 0.1, layer: 1 })] {
            let kept = matrix(70, 90, element);
            let kept = (activation.slope_of() == SlopeOf::Input).then_some(kept);
            all.push(Epilogue::Layer { bias: row, activation, dropout, kept, out });
            all.push(Epilogue::Derivative { kept: kept.unwrap_or(out), activation, dropout, out });
        }
    }
    for (activation, loss) in activations_and_losses() {
        for gradient in [None, Some(out)] {
            let target = out;
            all.push(Epilogue::Loss { bias: row, activation, target, loss, gradient, unit: row, table });
        }
    }
    all
}

/// Operands of a 70 × 90 product over 48.
fn operands(layout: Layout, element: Element) -> (Matrix, Matrix) {
    let m = |rows, cols| matrix(rows, cols, element);
    match layout {
        Layout::Nt => (m(70, 48), m(90, 48)),
        Layout::Nn => (m(70, 48), m(48, 90)),
        Layout::Tn => (m(48, 70), m(48, 90)),
    }
}

fn recording() -> Recording {
    let mut recording = Recording::new();
    for layout in [Layout::Nt, Layout::Nn, Layout::Tn] {
        for element in [Element::F32, Element::F16] {
            for epilogue in epilogues(element) {
                let (a, b) = operands(layout, element);
                recording.product("f32", layout, a, b, Element::F32, epilogue);
                let (_, b) = operands(layout, Element::F32);
                recording.product("half", layout, a, b, Element::F16, epilogue);
            }
        }
    }
    for element in [Element::F32, Element::F16] {
        let (wide, row) = (matrix(20, 33, element), matrix(1, 33, Element::F32));
        for index in [None, Some(matrix(1, 50, Element::U32))] {
            let source = matrix(300, 33, element);
            recording.push(Call::Gather { source, index, offset: row, scale: row, out: wide });
        }
        let pairs = matrix(90, pairs::WIDTH, Element::U32);
        recording.push(Call::Scatter { pairs, packed: 20, offset: row, scale: row, out: wide });
        for activation in Activation::ALL.iter().copied() {
            recording.push(Call::Activate { input: wide, activation, out: wide });
            recording.push(Call::Multipliers { input: wide, reference: row, activation, out: wide });
        }
        recording.push(Call::Difference { input: wide, reference: row, out: wide });
        recording.push(Call::Largest { input: wide, out: matrix(20, 1, Element::F32) });
        recording.push(Call::SumSquares { input: wide, table: matrix(2, 2, Element::F32), column: 1 });
        for multipliers in [None, Some(matrix(7, 5, element))] {
            let out = matrix(35, 5, element);
            recording.push(Call::Seeds { multipliers, average: false, out, samples: 7 });
            let out = matrix(7, 5, element);
            recording.push(Call::Seeds { multipliers, average: true, out, samples: 7 });
        }
    }
    let logits = matrix(70, 90, Element::F32);
    recording.push(Call::Concrete { logits, out: matrix(70, 90, Element::F32) });
    for update in updates() {
        recording.push(Call::Update { gradient: matrix(70, 90, Element::F32), update });
        for element in [Element::F32, Element::F16] {
            let gradient = matrix(70, 90, element);
            recording.push(Call::ConcreteGradient { selection: logits, gradient, update });
        }
    }
    let value = matrix(1, 33, Element::F32);
    let velocity = matrix(1, 33, Element::F32);
    let update = Update::Sgd { value, velocity, rounded: None, l2: 0.0, momentum: 0.5, rate: 1.0 };
    recording.push(Call::BiasGradient { gradient: matrix(80, 33, Element::F16), update });
    recording
}

/// Distinct sources of these tiles, split and unsplit, by a label.
fn variants(tiles: &[Tile]) -> BTreeMap<String, String> {
    let recording = recording();
    let mut found = BTreeMap::new();
    for &tile in tiles {
        for (slices, double_buffered) in [(1, true), (1, false), (3, false)] {
            let (tile, slices, double_buffered) = (Some(tile), Some(slices), Some(double_buffered));
            let options = Options { tile, slices, double_buffered, ..Options::default() };
            for (label, source) in shaders(&recording, Kind::Discrete, 128 << 20, &options) {
                found.insert(source, label);
            }
        }
    }
    found
}

fn validate(label: &str, source: &str, capabilities: Capabilities) -> (naga::Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(source)));
    let capabilities = capabilities | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info =
        validator.validate(&module).unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(source)));
    (module, info)
}

fn workgroup_bytes(module: &naga::Module) -> u32 {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).expect("layout");
    let shared = module.global_variables.iter().filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup);
    shared.map(|(_, v)| layouter[v.ty].size).sum()
}

#[test]
fn every_variant_translates_everywhere() {
    use naga::back::{hlsl, msl, spv};
    let variants = variants(&Tile::ALL);
    assert!(variants.len() > 300, "{} variants", variants.len());
    for (source, label) in &variants {
        let (module, info) = validate(label, source, Capabilities::empty());
        let bytes = workgroup_bytes(&module);
        let most = if source.contains("const STAGES = 2u") { 32 } else { 16 };
        assert!(bytes <= most << 10, "{label}: {bytes} bytes of workgroup memory");

        let words = spv::write_vec(&module, &info, &spv::Options::default(), None).expect("SPIR-V");
        assert_eq!(words[0], 0x0723_0203);

        let options = msl::Options { fake_missing_bindings: true, ..Default::default() };
        let (text, _) =
            msl::write_string(&module, &info, &options, &Default::default()).expect("Metal's language");
        assert!(text.contains("kernel void main_"));

        let mut text = String::new();
        let options = hlsl::Options { fake_missing_bindings: true, ..Default::default() };
        let pipeline = hlsl::PipelineOptions::default();
        hlsl::Writer::new(&mut text, &options, &pipeline).write(&module, &info, None).expect("HLSL");
        assert!(text.contains("numthreads"));
    }
}

/// A shader that the tests do not come by would be looked at by nobody before it runs.
#[test]
fn every_shader_is_among_the_variants() {
    let tiles = Tile::ALL.into_iter().chain([Tile::EMULATED]).chain(Tile::COOPERATIVE);
    let variants: String = variants(&tiles.collect::<Vec<_>>()).into_keys().collect();
    for file in shader_files() {
        assert!(
            variants.contains(&format!("// {file}\n")),
            "{file} is in no variant; give its call or epilogue a row here"
        );
    }
}

/// Of 16 × 16 and 8 × 8, of 8 to 64 threads, in 32 and 48 KiB of workgroup memory. Vulkan's alone are written out.
#[test]
fn cooperative_matrices_translate_for_vulkan() {
    use naga::back::spv;
    let forms = [(16, 32, 48), (16, 64, 48), (8, 8, 32)];
    let forms = forms.map(|(side, group, memory)| Tile::cooperative(side, group, memory << 10));
    let variants = variants(&forms.concat());
    let cooperative: Vec<_> =
        variants.iter().filter(|(source, _)| source.contains("coopMultiplyAdd")).collect();
    assert!(cooperative.len() > 300, "{} variants", cooperative.len());
    for (source, label) in cooperative {
        let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
        let (module, info) = validate(label, source, capabilities);
        let bytes = workgroup_bytes(&module);
        let most = if source.contains("const BK = 48u") { 48 } else { 32 };
        assert!(bytes <= most << 10, "{label}: {bytes} bytes of workgroup memory");
        let options = spv::Options { lang_version: (1, 6), ..Default::default() };
        spv::write_vec(&module, &info, &options, None).expect("SPIR-V");
    }
}

/// The check above would not notice a validator that accepts everything.
#[test]
fn a_broken_shader_is_noticed() {
    let (source, _) = variants(&[Tile::LARGE]).pop_first().expect("variants");
    assert!(naga::front::wgsl::parse_str(&source.replace("params: Params", "params: Nothing")).is_err());
}
