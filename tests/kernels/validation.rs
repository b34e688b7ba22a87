//! The fault that `scripts/newest_mesa.sh` puts before the validation layers, which have to notice it.

use wgpu::util::DeviceExt;

/// A kernel without wgpu's checks writes behind its buffer. Fails nothing by itself: who looks is the layer.
#[test]
#[ignore = "a fault on purpose, for scripts/newest_mesa.sh"]
fn validation_notices_what_reaches_outside() {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters.into_iter().next().expect("an adapter");
    let (device, queue) =
        pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).expect("a device");
    let text = "@group(0) @binding(0) var<storage, read_write> values: array<u32>;
        @compute @workgroup_size(1) fn main() { values[arrayLength(&values) + 64u] = 1u; }";
    let source = wgpu::ShaderSource::Wgsl(text.into());
    let descriptor = wgpu::ShaderModuleDescriptor { label: Some("outside"), source };
    let checks = wgpu::ShaderRuntimeChecks::unchecked();
    // SAFETY: none; the write behind the buffer is what is to be noticed, by a software driver of a test's own process.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let usage = wgpu::BufferUsages::STORAGE;
    let contents = [0; 64];
    let buffer = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: &contents,
        usage,
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(1, 1, 1);
    }
    let index = queue.submit([encoder.finish()]);
    let waited = device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None });
    waited.expect("the driver went on");
}
