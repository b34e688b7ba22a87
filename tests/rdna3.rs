//! What a real GPU's compiler makes of the shaders that training and DeepLIFT spend their time in: Mesa's RADV compiles for RDNA3 without a card
//! (its null device). None may take long, and none may spill more registers or take 5 % more
//! instructions than is kept of this Mesa in `data/rdna3.tsv`; with another Mesa they are told. Says NOT RUN where there is no RADV.
//!
//! GENELIFT_KEEP_COUNTS=1 keeps this Mesa's counts in the file.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, HashSet};
use std::ffi::CStr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ash::vk;
use genelift::device::gpu::{Kind, Options, shaders};
use genelift::device::recording::*;
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Where distributions put the driver's description.
const DRIVERS: [&str; 2] =
    ["/usr/share/vulkan/icd.d/radeon_icd.json", "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json"];
/// How much more of a count is a regression.
const MORE: f64 = 1.05;
/// A shader that takes longer would take minutes with hundreds of variants.
const LONGEST: Duration = Duration::from_secs(20);

/// Where it is 1, counts are kept.
const KEEP: &str = "GENELIFT_KEEP_COUNTS";

/// Statistics of a shader, by name.
type Counts = BTreeMap<String, u64>;

/// The products of a training step and of DeepLIFT in the paper's shape, with `operands`, and what else is in them.
fn recording(operands: Element) -> Recording {
    let mut last = 0;
    let mut matrix = |rows, cols, element| {
        last += 1;
        Matrix { id: last, generation: 0, rows, cols, element }
    };
    use Element::F32;
    let (genes, width, batch) = (22_268, 500, 1024);
    let mut recording = Recording::new();
    let x = matrix(batch, genes, operands);
    let (bias, hidden) = (matrix(1, width, F32), matrix(batch, width, operands));
    let dropout = Some(Dropout { rate: 0.1, layer: 0 });
    let activation = Activation::Sigmoid;
    let forward = Epilogue::Layer { bias, activation, dropout, kept: None, out: hidden };
    recording.product("forward", Layout::Nn, x, matrix(genes, width, operands), operands, forward);
    let [value, first, second] = [(); 3].map(|()| matrix(genes, width, F32));
    let rounded = (operands != F32).then(|| matrix(genes, width, operands));
    let weight = rounded.unwrap_or(value);
    let gradient = matrix(batch, genes, operands);
    let [bias, unit] = [(); 2].map(|()| matrix(1, genes, F32));
    let loss = Epilogue::Loss {
        bias,
        activation: Activation::Linear,
        target: x,
        loss: Loss::Mae,
        gradient: Some(gradient),
        unit,
        table: matrix(3, 2, F32),
    };
    recording.product("loss", Layout::Nt, hidden, weight, operands, loss);
    let (l2, beta1, beta2, epsilon) = (1e-6, 0.9, 0.999, 1e-7);
    let adam = Update::Adam { value, first, second, rounded, l2, beta1, beta2, epsilon };
    recording.product("gradient", Layout::Tn, gradient, hidden, operands, Epilogue::Update(adam));
    let [first, second] = [(); 2].map(|()| matrix(1, genes, F32));
    let adam = Update::Adam { value: bias, first, second, rounded: None, l2: 0.0, beta1, beta2, epsilon };
    recording.push(Call::BiasGradient { gradient, update: adam });
    let back =
        Epilogue::Derivative { kept: hidden, activation, dropout, out: matrix(batch, width, operands) };
    recording.product("backward", Layout::Nn, gradient, weight, operands, back);
    let (neurons, samples) = (100, 256);
    let deeplift = Epilogue::DeepLift {
        difference: matrix(samples, genes, F32),
        fold: Fold::Abs,
        scores: matrix(neurons, genes, F32),
        sums: matrix(neurons, samples, F32),
    };
    let chain = matrix(neurons * samples, width, operands);
    recording.product("deeplift", Layout::Nn, chain, matrix(width, genes, operands), operands, deeplift);
    recording
}

/// The shader as wgpu hands it to a driver where nothing is checked.
fn spirv(label: &str, source: &str) -> Vec<u32> {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(source)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).unwrap_or_else(|e| panic!("{label}: {e:?}"));
    let unchecked = BoundsCheckPolicy::Unchecked;
    let options = spv::Options {
        lang_version: (1, 3),
        bounds_check_policies: BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        force_loop_bounding: false,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..spv::Options::default()
    };
    spv::write_vec(&module, &info, &options, None).unwrap_or_else(|e| panic!("{label}: {e}"))
}

/// RADV's null device.
struct Compiler {
    device: ash::Device,
    executables: ash::khr::pipeline_executable_properties::Device,
    layout: vk::PipelineLayout,
    driver: String,
    _instance: ash::Instance,
    _entry: ash::Entry,
}

impl Compiler {
    /// The device, or why there is none.
    fn open() -> Result<Compiler, String> {
        let driver = DRIVERS.into_iter().find(|path| std::path::Path::new(path).exists());
        let driver = driver.ok_or("no RADV is installed")?;
        // Mesa 22 calls it by its code name, and ends the process where it does not know a name
        let description = std::fs::read_to_string(driver).map_err(|error| error.to_string())?;
        let old = description.contains("\"1.3.2") && !description.contains("\"1.3.24");
        let family = if old { "gfx1100" } else { "navi31" };
        // SAFETY: this process has one thread that looks at the environment, and has asked for no Vulkan yet; handles outlive their uses
        unsafe {
            std::env::set_var("VK_DRIVER_FILES", driver);
            std::env::set_var("VK_ICD_FILENAMES", driver); // as loaders before 1.3.207 call it
            std::env::set_var("MESA_SHADER_CACHE_DISABLE", "true");
            std::env::set_var("RADV_FORCE_FAMILY", family);
            Compiler::of_family()
        }
    }

    unsafe fn of_family() -> Result<Compiler, String> {
        let failed = |what: &'static str| move |error: vk::Result| format!("{what}: {error}");
        // SAFETY: structures and handles are those of the calls before
        unsafe {
            let entry = ash::Entry::load().map_err(|error| error.to_string())?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = entry.create_instance(&info, None).map_err(failed("an instance"))?;
            let all = instance.enumerate_physical_devices().map_err(failed("devices"))?;
            let physical = *all.first().ok_or("it has no device")?;
            let mut driver = vk::PhysicalDeviceDriverProperties::default();
            let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
            instance.get_physical_device_properties2(physical, &mut properties);
            let text = |c: Result<&CStr, _>| c.map_or(String::new(), |c| c.to_string_lossy().into_owned());
            let version = text(driver.driver_info_as_c_str());
            let mut executable = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
                .pipeline_executable_info(true);
            let mut storage =
                vk::PhysicalDevice16BitStorageFeatures::default().storage_buffer16_bit_access(true);
            let mut half = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(true);
            let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
            let extensions = [ash::khr::pipeline_executable_properties::NAME.as_ptr()];
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&extensions)
                .push_next(&mut executable)
                .push_next(&mut storage)
                .push_next(&mut half);
            let device = instance.create_device(physical, &info, None).map_err(failed("a device"))?;
            // whichever of these bindings a shader has
            let binding = |i: u32| {
                let of = if i == 0 {
                    vk::DescriptorType::UNIFORM_BUFFER
                } else {
                    vk::DescriptorType::STORAGE_BUFFER
                };
                let binding = vk::DescriptorSetLayoutBinding::default().binding(i).descriptor_type(of);
                binding.descriptor_count(1).stage_flags(vk::ShaderStageFlags::COMPUTE)
            };
            let bindings: Vec<_> = (0..17).map(binding).collect();
            let set = |count: usize| {
                let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings[..count]);
                device.create_descriptor_set_layout(&info, None).map_err(failed("a layout"))
            };
            let sets = [set(17)?, set(1)?];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = device.create_pipeline_layout(&info, None).map_err(failed("a layout"))?;
            let executables = ash::khr::pipeline_executable_properties::Device::new(&instance, &device);
            Ok(Compiler { device, executables, layout, driver: version, _instance: instance, _entry: entry })
        }
    }

    /// What it counts in a shader.
    fn compile(&self, label: &str, words: &[u32]) -> Counts {
        // SAFETY: as in `of_family`
        unsafe {
            let info = vk::ShaderModuleCreateInfo::default().code(words);
            let module = self.device.create_shader_module(&info, None).expect("a module");
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR)
                .stage(stage)
                .layout(self.layout);
            let made = self.device.create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
            let pipeline = made.unwrap_or_else(|(_, error)| panic!("{label}: {error}"))[0];
            let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
            let counted = self.executables.get_pipeline_executable_statistics(&info).expect("statistics");
            counted
                .iter()
                .filter(|one| one.format == vk::PipelineExecutableStatisticFormatKHR::UINT64)
                .map(|one| (one.name_as_c_str().unwrap().to_string_lossy().to_lowercase(), one.value.u64))
                .collect()
        }
    }
}

fn kept() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/data/rdna3.tsv"].iter().collect()
}

#[test]
fn no_shader_spills_and_none_grows() {
    let compiler = match Compiler::open() {
        Ok(compiler) => compiler,
        Err(why) => return eprintln!("NOT RUN: {why}"),
    };
    let text = std::fs::read_to_string(kept()).unwrap_or_default();
    let mut before: BTreeMap<(String, String), [u64; 2]> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let [mesa, shader, _, _, spilled, instructions] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("tests/data/rdna3.tsv: {line}");
        };
        let counts = [spilled, instructions].map(|count| count.parse().expect("a count"));
        before.insert((mesa.into(), shader.into()), counts);
    }
    let known = before.keys().any(|(mesa, _)| *mesa == compiler.driver);
    let keep = std::env::var(KEEP).is_ok_and(|value| value == "1");
    let mut rows = Vec::new();
    for element in [Element::F32, Element::F16] {
        let mut found = shaders(&recording(element), Kind::Discrete, 2 << 30, &Options::default());
        // large products are several dispatches of one shader each
        let mut seen = HashSet::new();
        found.retain(|shader| seen.insert(shader.clone()));
        assert!(found.len() >= 6, "{} shaders", found.len());
        for (number, (label, source)) in found.into_iter().enumerate() {
            let name = format!("{element:?} {number} {label}").to_lowercase();
            let words = spirv(&name, &source);
            let start = Instant::now();
            let counts = compiler.compile(&name, &words);
            let seconds = start.elapsed();
            let count = |what: &str| counts.get(what).copied();
            let [registers, code, instructions] =
                ["vgprs", "code size", "instructions"].map(|what| count(what).expect("RADV counts it"));
            let spilled = ["spilled vgprs", "spilled sgprs"].map(|what| count(what).expect("RADV counts it"));
            let spilled = spilled.iter().sum::<u64>();
            println!(
                "{name}: {registers} registers, {code} bytes, {spilled} spilled, {instructions} instructions, {seconds:.1?}"
            );
            assert!(seconds < LONGEST, "{name} took {seconds:?}");
            if known && !keep {
                let kept = before.get(&(compiler.driver.clone(), name.clone()));
                let [spills, less] =
                    *kept.unwrap_or_else(|| panic!("{name} has no count; {KEEP}=1 keeps it"));
                assert!(spilled <= spills, "{name} spills {spilled} registers, {spills} before");
                assert!(
                    instructions as f64 <= MORE * less as f64,
                    "{name}: {instructions} instructions, {less} before; {KEEP}=1 keeps them where that is right"
                );
            }
            rows.push(format!("{}\t{name}\t{registers}\t{code}\t{spilled}\t{instructions}", compiler.driver));
        }
    }
    if !known {
        println!("no counts of {} are kept", compiler.driver);
    }
    if keep {
        let others = text.lines().skip(1).filter(|line| !line.starts_with(&format!("{}\t", compiler.driver)));
        let head = "mesa\tshader\tregisters\tcode_bytes\tspilled\tinstructions";
        let lines = std::iter::once(head).chain(others).chain(rows.iter().map(String::as_str));
        std::fs::write(kept(), lines.map(|line| format!("{line}\n")).collect::<String>()).expect("kept");
    }
}
