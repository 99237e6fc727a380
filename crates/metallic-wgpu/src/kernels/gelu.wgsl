// x times the share of a normal distribution that lies below x, or its usual approximation.

struct Arguments {
    elements: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;

//#if TANH
// x / 2 (1 + tanh(u)) = x / (1 + exp(-2 u)), which keeps its precision where the tanh is close to -1. Beyond 20 the
// result is x or 0; the limit keeps x^3 and the exponential finite.
fn gelu(x: f32) -> f32 {
    let near = clamp(x, -20.0, 20.0);
    let u = 0.7978845608 * (near + 0.044715 * near * near * near);
    return x / (1.0 + exp(min(-2.0 * u, 80.0)));
}
//#else
// Chebyshev fits by mpmath's chebyfit: erf(z) / z over z^2 up to 1, to 3e-11, and exp(z^2) erfc(z) over 1 / (z + 2) for z
// from 1 to 10, to 1e-9. The latter keeps its precision where erfc is close to 0.
fn gelu(x: f32) -> f32 {
    let z = min(abs(x) * 0.7071067812, 10.0);
    let s = z * z;
    if (z < 1.0) {
        var erf = -9.667044571e-6;
        erf = erf * s + 0.0001126595903;
        erf = erf * s - 0.0008484080406;
        erf = erf * s + 0.005221031808;
        erf = erf * s - 0.02686543073;
        erf = erf * s + 0.112837825;
        erf = erf * s - 0.3761263847;
        erf = erf * s + 1.128379167;
        return 0.5 * x * (1.0 + sign(x) * z * erf);
    }
    let t = 1.0 / (z + 2.0);
    var erfc = 18.96094339;
    erfc = erfc * t - 20.81763144;
    erfc = erfc * t - 0.4006511059;
    erfc = erfc * t + 4.148860263;
    erfc = erfc * t + 2.345724426;
    erfc = erfc * t + 2.050386174;
    erfc = erfc * t + 1.121618837;
    erfc = erfc * t + 0.5645125725;
    erfc = erfc * t - 6.433822951e-6;
    erfc *= exp(-s);
    return x * select(0.5 * erfc, 1.0 - 0.5 * erfc, x > 0.0);
}
//#end

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let i = (workgroup.y * workgroups.x + workgroup.x) * THREADS + index;
    if (i < args.elements) {
        output[i] = Element(gelu(f32(input[i])));
    }
}
