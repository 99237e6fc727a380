// A product with few rows: a workgroup computes COLUMNS columns of all rows and reads each element of B once. LANES
// invocations share the sum of a column, and read side by side what lies side by side.

const THREADS: u32 = COLUMNS * LANES;

var<workgroup> partial: array<f32, ROWS * THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first = (workgroup.y * workgroups.x + workgroup.x) * COLUMNS;
    if (first >= args.n) {
        return;
    }
//#if TRANSPOSE_B
    let lane = index % LANES;
    let column = index / LANES;
//#else
    let lane = index / COLUMNS;
    let column = index % COLUMNS;
//#end
    let batch = workgroup.z;
    let a_base = args.a_offset + batch * args.a_batch;
    let b_base = args.b_offset + batch / args.sharing * args.b_batch;
    let loaded = min(first + column, args.n - 1u);
    let steps = (args.k + 3u) / 4u;

//#each row ROWS
    var sum#row = 0.0;
    let row#row = min(#rowu, args.m - 1u);
//#end
    for (var k4 = lane; k4 < steps; k4 += LANES) {
        let values = load_b(b_base, loaded, k4);
//#each row ROWS
        sum#row += dot(load_a(a_base, row#row, k4), values);
//#end
    }
//#each row ROWS
    partial[#rowu * THREADS + column * LANES + lane] = sum#row;
//#end
    workgroupBarrier();

    for (var result = index; result < ROWS * COLUMNS; result += THREADS) {
        let row = result / COLUMNS;
        let stored = first + result % COLUMNS;
        if (row < args.m && stored < args.n) {
            var sum = 0.0;
            for (var term = 0u; term < LANES; term++) {
                sum += partial[result * LANES + term];
            }
            store(batch, row, stored, sum);
        }
    }
}
