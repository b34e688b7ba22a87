//! Compiled kernels, one for each distinct source. What they bind is read from the parsed shader.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// A kernel ready to be dispatched.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// For the pass.
    pub pipeline: wgpu::ComputePipeline,
    /// Layout of bind group 0: the parameters and the operands.
    pub layout: wgpu::BindGroupLayout,
}

/// The pipelines made so far, by source and by whether they are unchecked.
#[derive(Debug, Default)]
pub struct Pipelines(HashMap<(String, bool), Pipeline>);

impl Pipelines {
    /// The pipeline of `source`, compiled on first use. `step` is the layout of bind group 1. `unchecked`: without what wgpu
    /// adds for shaders that it cannot trust.
    ///
    /// # Errors
    /// [`Error::Device`] when the shader does not parse (a bug here; the driver's own failures are kept as the
    /// device's fault).
    pub fn get(
        &mut self,
        device: &wgpu::Device,
        step: &wgpu::BindGroupLayout,
        label: &str,
        (source, unchecked): (String, bool),
    ) -> Result<Pipeline> {
        let key = (source, unchecked);
        if let Some(found) = self.0.get(&key) {
            return Ok(found.clone());
        }
        let source = &key.0;
        let module = naga::front::wgsl::parse_str(source)
            .map_err(|e| Error::device("gpu", format!("shader of {label}: {}", e.emit_to_string(source))))?;
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(label),
            entries: &entries(&module),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout), Some(step)],
            immediate_size: 0,
        });
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)),
        };
        let module = if unchecked {
            let checks = wgpu::ShaderRuntimeChecks::unchecked();
            // SAFETY: the text is this crate's own. Its loops end and its divisors are positive; rows and quads outside a
            // matrix are clamped or skipped, which the tests of every kernel see to in the guarded form, where they give NaN.
            unsafe { device.create_shader_module_trusted(descriptor, checks) }
        } else {
            device.create_shader_module(descriptor)
        };
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: !unchecked,
                ..Default::default()
            },
            cache: None,
        });
        let made = Pipeline { pipeline, layout };
        self.0.insert(key, made.clone());
        Ok(made)
    }
}

/// The layout entries of bind group 0, as the shader declares them.
fn entries(module: &naga::Module) -> Vec<wgpu::BindGroupLayoutEntry> {
    let bound = module.global_variables.iter().filter_map(|(_, variable)| {
        let binding = variable.binding.as_ref().filter(|b| b.group == 0)?;
        let ty = match variable.space {
            naga::AddressSpace::Storage { access } => {
                wgpu::BufferBindingType::Storage { read_only: !access.contains(naga::StorageAccess::STORE) }
            }
            _ => wgpu::BufferBindingType::Uniform,
        };
        Some(entry(binding.binding, ty))
    });
    bound.collect()
}

/// One buffer of a layout.
pub fn entry(binding: u32, ty: wgpu::BufferBindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
