//! Which adapters there are, what they can do, and which one a user means.

use std::sync::{Arc, Mutex, MutexGuard};

use super::tiles::{Kind, Tile, Tuning};
use crate::device::calibration;
use crate::error::{Error, Result};

/// What the `devices` command tells about an adapter.
#[derive(Debug, Clone)]
pub struct AdapterFacts {
    /// Position in [`list`], as in `gpu:INDEX`.
    pub index: usize,
    /// The driver's name for it.
    pub name: String,
    /// Vulkan, Metal or Dx12.
    pub backend: String,
    /// Discrete, integrated or a software rasterizer; virtual GPUs count as discrete.
    pub kind: Kind,
    /// Driver name and version.
    pub driver: String,
    /// Bytes that one binding of a storage buffer may span.
    pub max_binding: u64,
    /// Bytes that one buffer may hold.
    pub max_buffer: u64,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Threads of one workgroup.
    pub workgroup_threads: u32,
    /// Storage buffers that one kernel may use.
    pub storage_buffers: u32,
    /// Half-precision arithmetic (`SHADER_F16`).
    pub half: bool,
    /// Subgroup operations.
    pub subgroups: bool,
    /// Threads of a subgroup: fewest and most.
    pub subgroup_threads: [u32; 2],
    /// Configurations of cooperative matrices, `"16×16×16 F16 → F32"`; empty without the feature.
    pub cooperative: Vec<String>,
}

impl AdapterFacts {
    /// The tiles by which `matmul_cooperative.wgsl` can run: products of f16 summed in f32, of 16 × 16 × 16 (NVIDIA, RDNA3) or 8 × 8 × 8 (Apple,
    /// lavapipe), subgroups of one size, and 32 KiB of workgroup memory. wgpu cannot ask a driver that has several sizes for one of them.
    pub fn cooperation(&self) -> Option<[Tile; 2]> {
        let has = |side: &usize| self.cooperative.contains(&format!("{side}×{side}×{side} F16 → F32"));
        let side = [16, 8].into_iter().find(has)?;
        let [fewest, most] = self.subgroup_threads;
        let group = most as usize;
        let fits = fewest == most && [8, 16, 32, 64].contains(&group) && group >= side;
        let able = self.half && fits && self.workgroup_memory >= 32 << 10;
        able.then(|| Tile::cooperative(side, group, self.workgroup_memory as usize))
    }

    /// Of an adapter that is not there.
    #[cfg(test)]
    pub(crate) fn made_up(index: usize, name: &str, kind: Kind) -> AdapterFacts {
        AdapterFacts {
            index,
            name: name.to_owned(),
            backend: "vulkan".to_owned(),
            kind,
            driver: String::new(),
            max_binding: 1 << 27,
            max_buffer: 1 << 30,
            workgroup_memory: 16 << 10,
            workgroup_threads: 256,
            storage_buffers: 8,
            half: false,
            subgroups: false,
            subgroup_threads: [8, 8],
            cooperative: Vec::new(),
        }
    }
}

/// Which adapter the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The first discrete GPU, else the first integrated one; never a software rasterizer.
    Auto,
    /// Position in [`list`].
    Index(usize),
    /// Part of its name, in any case.
    Name(String),
}

/// Settings of an executor; the defaults are the adapter's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Lowers the largest binding (bytes): larger matrices are held in several buffers.
    pub binding_limit: Option<u64>,
    /// Forces the tile of every product.
    pub tile: Option<Tile>,
    /// Forces the number of slices of every product's summed dimension.
    pub slices: Option<usize>,
    /// Lowers the number of workgroups in one dimension of a dispatch.
    pub workgroups: Option<u32>,
    /// Lowers the operations of one dispatch of a product.
    pub longest: Option<u64>,
    /// Takes the table by which products get their tiles from the user's calibration, where there is one for this adapter and
    /// driver.
    pub calibrated: bool,
    /// Opens cooperative matrices where the adapter has them, for [`super::GpuExecutor::tune`].
    pub cooperative: bool,
    /// Runs kernels with wgpu's checks of loops, indices and divisions (`Some(false)`) or without them.
    pub unchecked: Option<bool>,
    /// Shared memory holds two pieces of the operands, where it has room for both (`Some(true)`), or one.
    pub double_buffered: Option<bool>,
    /// Kernels that reach outside a matrix give NaN, for tests.
    pub guarded: bool,
    /// Asks for wgpu's downlevel limits and no more, as the least adapters have them, for tests.
    pub downlevel: bool,
}

fn adapters() -> Vec<wgpu::Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    descriptor.flags = wgpu::InstanceFlags::empty();
    // Allocation fails, as an error, before the device's memory is overrun.
    descriptor.memory_budget_thresholds.for_resource_creation = Some(95);
    pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends))
}

fn facts(index: usize, adapter: &wgpu::Adapter, limits: &wgpu::Limits) -> AdapterFacts {
    let (info, features) = (adapter.get_info(), adapter.features());
    let cooperative = features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX);
    let shapes = if cooperative { adapter.cooperative_matrix_properties() } else { Vec::new() };
    AdapterFacts {
        index,
        name: info.name.clone(),
        backend: info.backend.to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
            wgpu::DeviceType::Cpu => Kind::Software,
            _ => Kind::Discrete,
        },
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        max_binding: limits.max_storage_buffer_binding_size,
        max_buffer: limits.max_buffer_size,
        workgroup_memory: limits.max_compute_workgroup_storage_size,
        workgroup_threads: limits.max_compute_invocations_per_workgroup,
        storage_buffers: limits.max_storage_buffers_per_shader_stage,
        half: features.contains(wgpu::Features::SHADER_F16),
        subgroups: features.contains(wgpu::Features::SUBGROUP),
        subgroup_threads: [info.subgroup_min_size, info.subgroup_max_size],
        cooperative: shapes
            .iter()
            .map(|s| format!("{}×{}×{} {:?} → {:?}", s.m_size, s.n_size, s.k_size, s.ab_type, s.cr_type))
            .collect(),
    }
}

/// Every adapter of Vulkan, Metal and DX12.
pub fn list() -> Vec<AdapterFacts> {
    adapters().iter().enumerate().map(|(index, adapter)| facts(index, adapter, &adapter.limits())).collect()
}

/// The index that `choice` means among `found`.
///
/// # Errors
/// [`Error::Device`] that lists what there is.
pub fn choose(found: &[AdapterFacts], choice: &Choice) -> Result<usize> {
    let first = |kind| found.iter().find(|f| f.kind == kind).map(|f| f.index);
    let (wanted, index) = match choice {
        Choice::Auto => ("auto".to_owned(), first(Kind::Discrete).or_else(|| first(Kind::Integrated))),
        Choice::Index(index) => (format!("gpu:{index}"), (*index < found.len()).then_some(*index)),
        Choice::Name(name) => {
            let part = name.to_lowercase();
            let hit = found.iter().find(|f| f.name.to_lowercase().contains(&part));
            (format!("gpu:{name}"), hit.map(|f| f.index))
        }
    };
    index.ok_or_else(|| {
        let names: Vec<_> = found.iter().map(|f| format!("{}: {}", f.index, f.name)).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::device(
            wanted,
            format!(
                "no such adapter; found {there}. Name one as gpu:INDEX or gpu:NAME, or use --device cpu \
                 (software rasterizers are taken only when named)"
            ),
        )
    })
}

/// What went wrong on a device since somebody last looked.
#[derive(Debug, Default)]
pub struct Fault(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The first failure that nobody has been told of yet.
    first: Option<String>,
    /// Why the device is gone: told again and again.
    lost: Option<String>,
}

impl Fault {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The failure to raise, if any.
    pub fn take(&self) -> Option<String> {
        let mut kept = self.kept();
        kept.lost.clone().or_else(|| kept.first.take())
    }
}

/// An opened device.
pub struct Opened {
    /// What was opened.
    pub facts: AdapterFacts,
    /// The logical device, with the adapter's own limits.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    /// Where its failures are kept.
    pub fault: Arc<Fault>,
    /// Which tiles products get.
    pub tuning: Tuning,
}

/// Opens the adapter that `choice` means.
///
/// # Errors
/// [`Error::Device`] when there is none, its driver refuses, or it lacks the cooperative matrices that are asked for;
/// [`Error::Input`] for a calibration that cannot be read.
pub fn open(choice: &Choice, options: &Options) -> Result<Opened> {
    let mut adapters = adapters();
    let limits = |adapter: &wgpu::Adapter| match options.downlevel {
        true => wgpu::Limits::downlevel_defaults(),
        false => adapter.limits(),
    };
    let mut found: Vec<_> = adapters.iter().enumerate().map(|(i, a)| facts(i, a, &limits(a))).collect();
    let index = choose(&found, choice)?;
    let (adapter, facts) = (adapters.swap_remove(index), found.swap_remove(index));
    let stored = if options.calibrated { calibration::load(&facts)? } else { None };
    let tuning = stored.unwrap_or(Tuning::of(facts.kind));
    let cooperates = facts.cooperation().is_some();
    if tuning.cooperative && !cooperates {
        return Err(Error::device(
            &facts.name,
            "it has no cooperative matrices, f16 to f32, of 16 × 16 × 16 or 8 × 8 × 8",
        ));
    }
    let mut features = wgpu::Features::TIMESTAMP_QUERY;
    let mut experimental = wgpu::ExperimentalFeatures::disabled();
    if cooperates && (tuning.cooperative || options.cooperative) {
        features |= wgpu::Features::SHADER_F16 | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        // SAFETY: cooperative matrices alone are used, by a kernel whose products are compared with another kernel's when the
        // adapter is calibrated, without which it is never chosen.
        experimental = unsafe { wgpu::ExperimentalFeatures::enabled() };
    }
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: limits(&adapter),
        required_features: adapter.features() & features,
        experimental_features: experimental,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
        .map_err(|e| Error::device(&facts.name, format!("the driver refused to open it: {e}")))?;
    let fault = Arc::new(Fault::default());
    let (uncaptured, lost) = (fault.clone(), fault.clone());
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        uncaptured.kept().first.get_or_insert(error.to_string());
    }));
    device.set_device_lost_callback(move |_, message| {
        let message = format!("the device was lost ({message}); start again from the last checkpoint");
        lost.kept().lost.get_or_insert(message);
    });
    Ok(Opened { facts, device, queue, fault, tuning })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_prefers_discrete_and_refuses_software() {
        let mut found = vec![
            AdapterFacts::made_up(0, "llvmpipe (LLVM 15)", Kind::Software),
            AdapterFacts::made_up(1, "Iris Xe", Kind::Integrated),
            AdapterFacts::made_up(2, "GeForce", Kind::Discrete),
        ];
        assert_eq!(choose(&found, &Choice::Auto).unwrap(), 2);
        assert_eq!(choose(&found, &Choice::Name("IRIS".into())).unwrap(), 1);
        assert_eq!(choose(&found, &Choice::Index(0)).unwrap(), 0);
        found.pop();
        assert_eq!(choose(&found, &Choice::Auto).unwrap(), 1);
        found.pop();
        let error = choose(&found, &Choice::Auto).unwrap_err().to_string();
        assert!(error.contains("llvmpipe") && error.contains("cpu"), "{error}");
        assert!(choose(&found, &Choice::Index(1)).is_err());
        assert!(choose(&[], &Choice::Name("x".into())).unwrap_err().to_string().contains("none"));
    }
}
