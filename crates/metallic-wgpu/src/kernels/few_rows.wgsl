// A product with few rows: a workgroup computes STREAMS COLUMNS columns of ROWS rows and reads each element of B once. LANES
// invocations share the sums of STREAMS columns, and read side by side what lies side by side.

const THREADS: u32 = COLUMNS * LANES;

var<workgroup> partial: array<f32, STREAMS * ROWS * THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    if (args.n == 0u) {
        return;
    }
    let first_row = workgroup.y * ROWS;
    let first = workgroup.x * COLUMNS * STREAMS;
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
    let steps = (args.k + 3u) / 4u;

//#if B_ALONG_N
    let four = min(first + 4u * column, (args.n - 1u) / 4u * 4u);
//#else
//#each stream STREAMS
    let column#stream = min(first + #streamu * COLUMNS + column, args.n - 1u);
//#end
//#end
//#each row ROWS
    let row#row = min(first_row + #rowu, args.m - 1u);
//#each stream STREAMS
    var sum#row_#stream = 0.0;
//#end
//#end
    for (var k4 = lane; k4 < steps; k4 += LANES) {
//#if B_ALONG_N
        let values = load_b4(b_base, four, k4);
//#each stream STREAMS
        let b#stream = within_k(values[#stream], k4);
//#end
//#else
//#each stream STREAMS
        let b#stream = load_b(b_base, column#stream, k4);
//#end
//#end
//#each row ROWS
        let a#row = load_a(a_base, row#row, k4);
//#each stream STREAMS
        sum#row_#stream += dot(a#row, b#stream);
//#end
//#end
    }
//#each row ROWS
//#each stream STREAMS
//#if B_ALONG_N
    partial[((#rowu * COLUMNS + column) * STREAMS + #streamu) * LANES + lane] = sum#row_#stream;
//#else
    partial[((#rowu * STREAMS + #streamu) * COLUMNS + column) * LANES + lane] = sum#row_#stream;
//#end
//#end
//#end
    workgroupBarrier();

    for (var result = index; result < ROWS * STREAMS * COLUMNS; result += THREADS) {
        let row = first_row + result / (STREAMS * COLUMNS);
        let stored = first + result % (STREAMS * COLUMNS);
        if (row < args.m && stored < args.n) {
            var sum = 0.0;
            for (var term = 0u; term < LANES; term++) {
                sum += partial[result * LANES + term];
            }
            store(batch, row, stored, sum);
        }
    }
}
