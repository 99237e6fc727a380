// A softmax of one row for each workgroup.

struct Arguments {
    // All rows, and those of a matrix.
    total: u32,
    rows: u32,
    length: u32,
    past: u32,
    input_offset: u32,
    input_row: u32,
    input_batch: u32,
    output_offset: u32,
    output_row: u32,
    output_batch: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
//#if IN_PLACE
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
//#else
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;
//#end

var<workgroup> partial: array<f32, THREADS>;

fn load(at: u32) -> f32 {
//#if IN_PLACE
    return args.scale * f32(output[at]);
//#else
    return args.scale * f32(input[at]);
//#end
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let line = workgroup.y * workgroups.x + workgroup.x;
    if (line >= args.total) {
        return;
    }
    let batch = line / args.rows;
    let row = line % args.rows;
    let source = args.input_offset + batch * args.input_batch + row * args.input_row;
    let destination = args.output_offset + batch * args.output_batch + row * args.output_row;
//#if CAUSAL
    let seen = min(args.past + row + 1u, args.length);
//#else
    let seen = args.length;
//#end

    var most = -3.4028234e38;
    for (var i = index; i < seen; i += THREADS) {
        most = max(most, load(source + i));
    }
    partial[index] = most;
    workgroupBarrier();
    for (var i = 0u; i < THREADS; i++) {
        most = max(most, partial[i]);
    }
    workgroupBarrier();

    var sum = 0.0;
    for (var i = index; i < seen; i += THREADS) {
        sum += exp(load(source + i) - most);
    }
    partial[index] = sum;
    workgroupBarrier();
    sum = 0.0;
    for (var i = 0u; i < THREADS; i++) {
        sum += partial[i];
    }
    let factor = 1.0 / sum;

    for (var i = index; i < args.length; i += THREADS) {
        if (i < seen) {
            output[destination + i] = Element(exp(load(source + i) - most) * factor);
        } else {
            output[destination + i] = Element(0.0);
        }
    }
}
