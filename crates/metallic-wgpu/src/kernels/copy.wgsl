struct Arguments {
    elements: u32,
    from_offset: u32,
    to_offset: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> destination: array<Element>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let i = (workgroup.y * workgroups.x + workgroup.x) * THREADS + index;
    if (i < args.elements) {
        destination[args.to_offset + i] = source[args.from_offset + i];
    }
}
