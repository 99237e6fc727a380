// The operands of C = alpha op(A) op(B) + beta C + bias, a matrix for each workgroup_id.z. The sums run over vectors of four
// elements along k, the last of which is filled up with zeros.

struct Arguments {
    m: u32,
    n: u32,
    k: u32,
    // So many matrices of A, one after the other, meet the same one of B.
    sharing: u32,
    a_offset: u32,
    a_row: u32,
    a_batch: u32,
    b_offset: u32,
    b_row: u32,
    b_batch: u32,
    c_offset: u32,
    c_row: u32,
    c_batch: u32,
    alpha: f32,
    beta: f32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
//#if A_VECTORS
@group(0) @binding(1) var<storage, read> a: array<vec4<A>>;
//#else
@group(0) @binding(1) var<storage, read> a: array<A>;
//#end
//#if B_VECTORS
@group(0) @binding(2) var<storage, read> b: array<vec4<B>>;
//#else
@group(0) @binding(2) var<storage, read> b: array<B>;
//#end
//#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<C>;
@group(0) @binding(4) var<storage, read_write> c: array<C>;
//#else
@group(0) @binding(3) var<storage, read_write> c: array<C>;
//#end

// Beyond the last element of k there is whatever lies behind the row, which may not be a number.
fn within_k(values: vec4<f32>, k4: u32) -> vec4<f32> {
//#if WHOLE_VECTORS
    return values;
//#else
    return select(vec4<f32>(), values, vec4<u32>(0u, 1u, 2u, 3u) + 4u * k4 < vec4<u32>(args.k));
//#end
}

// Elements 4 k4 to 4 k4 + 3 of a row of op(A).
fn load_a(base: u32, row: u32, k4: u32) -> vec4<f32> {
//#if A_VECTORS
    return within_k(vec4<f32>(a[(base + row * args.a_row) / 4u + k4]), k4);
//#else
    let last = args.k - 1u;
    let k = min(vec4<u32>(0u, 1u, 2u, 3u) + 4u * k4, vec4<u32>(last));
//#if TRANSPOSE_A
    let at = base + k * args.a_row + row;
//#else
    let at = base + row * args.a_row + k;
//#end
    return within_k(vec4<f32>(f32(a[at.x]), f32(a[at.y]), f32(a[at.z]), f32(a[at.w])), k4);
//#end
}

//#if B_ALONG_N
// Elements 4 k4 to 4 k4 + 3 of four columns of B, of which the first is a multiple of four.
fn load_b4(base: u32, column: u32, k4: u32) -> mat4x4<f32> {
    let k = min(vec4<u32>(0u, 1u, 2u, 3u) + 4u * k4, vec4<u32>(args.k - 1u));
    let at = (base + k * args.b_row + column) / 4u;
    let rows = mat4x4<f32>(
        vec4<f32>(b[at.x]),
        vec4<f32>(b[at.y]),
        vec4<f32>(b[at.z]),
        vec4<f32>(b[at.w]),
    );
    return transpose(rows);
}
//#else
// Elements 4 k4 to 4 k4 + 3 of a column of op(B).
fn load_b(base: u32, column: u32, k4: u32) -> vec4<f32> {
//#if B_VECTORS
    return within_k(vec4<f32>(b[(base + column * args.b_row) / 4u + k4]), k4);
//#else
    let last = args.k - 1u;
    let k = min(vec4<u32>(0u, 1u, 2u, 3u) + 4u * k4, vec4<u32>(last));
//#if TRANSPOSE_B
    let at = base + column * args.b_row + k;
//#else
    let at = base + k * args.b_row + column;
//#end
    return within_k(vec4<f32>(f32(b[at.x]), f32(b[at.y]), f32(b[at.z]), f32(b[at.w])), k4);
//#end
}
//#end

fn store(batch: u32, row: u32, column: u32, sum: f32) {
    let at = args.c_offset + batch * args.c_batch + row * args.c_row + column;
    var value = args.alpha * sum;
    // With beta 0 what C held must not matter, and it may not be a number.
    if (args.beta != 0.0) {
        value += args.beta * f32(c[at]);
    }
//#if BIAS
    value += f32(bias[column]);
//#end
    c[at] = C(value);
}
