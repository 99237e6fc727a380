// Copies rows of K and of V to where they belong in their caches.

struct Arguments {
    // Of all rows of all sequences, and of those of one.
    elements: u32,
    sequence: u32,
    width: u32,
    first: u32,
    // Elements of a sequence in the cache.
    capacity: u32,
    k_offset: u32,
    k_row: u32,
    k_batch: u32,
    v_offset: u32,
    v_row: u32,
    v_batch: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> k: array<Element>;
@group(0) @binding(2) var<storage, read> v: array<Element>;
@group(0) @binding(3) var<storage, read_write> keys: array<Element>;
@group(0) @binding(4) var<storage, read_write> values: array<Element>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let i = (workgroup.y * workgroups.x + workgroup.x) * THREADS + index;
    if (i >= args.elements) {
        return;
    }
    let batch = i / args.sequence;
    let place = i % args.sequence;
    let row = place / args.width;
    let column = place % args.width;
    let at = batch * args.capacity + args.first + place;
    keys[at] = k[args.k_offset + batch * args.k_batch + row * args.k_row + column];
    values[at] = v[args.v_offset + batch * args.v_batch + row * args.v_row + column];
}
