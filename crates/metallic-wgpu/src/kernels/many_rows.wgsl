// A product with many rows: a workgroup computes a tile of 4 HEIGHT rows and 64 columns, through a slice of 16 elements of k at a
// time that it shares. An invocation computes four rows and four columns, each HEIGHT or 16 apart, so that
// neighbours read neighbouring columns.

const WIDTH: u32 = 16u;
const DEPTH: u32 = 4u;
const THREADS: u32 = WIDTH * HEIGHT;
const TILE_ROWS: u32 = 4u * HEIGHT;
const TILE_COLUMNS: u32 = 4u * WIDTH;

var<workgroup> a_slice: array<vec4<f32>, DEPTH * TILE_ROWS>;
var<workgroup> b_slice: array<vec4<f32>, DEPTH * TILE_COLUMNS>;

@compute @workgroup_size(WIDTH, HEIGHT)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    if (args.n == 0u) {
        return;
    }
    let batch = workgroup.z;
    let first_row = workgroup.y * TILE_ROWS;
    let first_column = workgroup.x * TILE_COLUMNS;
    let a_base = args.a_offset + batch * args.a_batch;
    let b_base = args.b_offset + batch / args.sharing * args.b_batch;
    let steps = (args.k + 3u) / 4u;

//#each row FOUR
    var sums#row = vec4<f32>();
//#end
    // Of the last slice, what lies beyond k is 0 in both operands: a factor of 0 in one makes NaN of an infinity in the other.
    for (var first = 0u; first < steps; first += DEPTH) {
        for (var item = index; item < DEPTH * TILE_ROWS; item += THREADS) {
//#if TRANSPOSE_A
            let depth = item / TILE_ROWS;
            let row = item % TILE_ROWS;
//#else
            let depth = item % DEPTH;
            let row = item / DEPTH;
//#end
            let values = load_a(a_base, min(first_row + row, args.m - 1u), min(first + depth, steps - 1u));
            a_slice[depth * TILE_ROWS + row] = select(vec4<f32>(), values, first + depth < steps);
        }
        for (var item = index; item < DEPTH * TILE_COLUMNS; item += THREADS) {
//#if TRANSPOSE_B
            let depth = item % DEPTH;
            let column = item / DEPTH;
//#else
            let depth = item / TILE_COLUMNS;
            let column = item % TILE_COLUMNS;
//#end
            let values = load_b(b_base, min(first_column + column, args.n - 1u), min(first + depth, steps - 1u));
            b_slice[depth * TILE_COLUMNS + column] = select(vec4<f32>(), values, first + depth < steps);
        }
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let columns = depth * TILE_COLUMNS + local.x;
            let b_values = mat4x4<f32>(
                b_slice[columns],
                b_slice[columns + WIDTH],
                b_slice[columns + 2u * WIDTH],
                b_slice[columns + 3u * WIDTH],
            );
            let rows = depth * TILE_ROWS + local.y;
//#each row FOUR
            sums#row += a_slice[rows + #rowu * HEIGHT] * b_values;
//#end
        }
        workgroupBarrier();
    }

//#each row FOUR
    if (first_row + local.y + #rowu * HEIGHT < args.m) {
        let row = first_row + local.y + #rowu * HEIGHT;
//#each column FOUR
        if (first_column + local.x + #columnu * WIDTH < args.n) {
            store(batch, row, first_column + local.x + #columnu * WIDTH, sums#row[#column]);
        }
//#end
    }
//#end
}
