// A normalisation of one row for each workgroup: first its mean, then its variance about that mean.

struct Arguments {
    rows: u32,
    width: u32,
    input_offset: u32,
    input_row: u32,
    output_offset: u32,
    output_row: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read> gamma: array<Element>;
@group(0) @binding(3) var<storage, read> beta: array<Element>;
@group(0) @binding(4) var<storage, read_write> output: array<Element>;

var<workgroup> partial: array<f32, THREADS>;

// The sum of what each invocation wrote before a barrier.
fn total() -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < THREADS; i++) {
        sum += partial[i];
    }
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let row = workgroup.y * workgroups.x + workgroup.x;
    if (row >= args.rows) {
        return;
    }
    let source = args.input_offset + row * args.input_row;
    let destination = args.output_offset + row * args.output_row;
    let width = f32(args.width);

    var sum = 0.0;
    for (var i = index; i < args.width; i += THREADS) {
        sum += f32(input[source + i]);
    }
    partial[index] = sum;
    workgroupBarrier();
    let mean = total() / width;
    workgroupBarrier();

    var squares = 0.0;
    for (var i = index; i < args.width; i += THREADS) {
        let distance = f32(input[source + i]) - mean;
        squares += distance * distance;
    }
    partial[index] = squares;
    workgroupBarrier();
    let factor = inverseSqrt(total() / width + args.epsilon);

    for (var i = index; i < args.width; i += THREADS) {
        let normal = (f32(input[source + i]) - mean) * factor;
        output[destination + i] = Element(normal * f32(gamma[i]) + f32(beta[i]));
    }
}
