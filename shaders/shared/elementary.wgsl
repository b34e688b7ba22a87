// exp and ln of src/device/math.rs, four values at a time.

// e^x to about 1 ulp, clamped to [-87.3, 88.3]; the built-in exp may be off by 3 + 2|x| ulp.
fn exponential(x: vec4f) -> vec4f {
    let above = select(x, vec4f(88.3), x > vec4f(88.3));
    let clamped = select(above, vec4f(-87.3), above < vec4f(-87.3));
    let n = round(clamped * 1.44269504);
    let r = clamped - n * 0.693359375 - n * -2.12194440e-4;
    var p = r * 1.9875691e-4 + 1.3981999e-3;
    p = p * r + 8.333452e-3;
    p = p * r + 4.1665796e-2;
    p = p * r + 1.6666665e-1;
    p = p * r + 5.0000001e-1;
    p = p * r * r + r + 1.0;
    // 2^n is built in the exponent bits
    return p * bitcast<vec4f>((vec4i(n) + 127) << vec4u(23u));
}

// ln x to about 1 ulp for normal positive x, also near 1, where the built-in log is not accurate.
fn logarithm(x: vec4f) -> vec4f {
    let half_root = vec4u(0x3F3504F3u);
    let shifted = bitcast<vec4u>(x) - half_root;
    let n = vec4f(bitcast<vec4i>(shifted) >> vec4u(23u));
    let f = bitcast<vec4f>((shifted & vec4u(0x007FFFFFu)) + half_root) - 1.0;
    var p = f * 7.0376836e-2 - 1.1514610e-1;
    p = p * f + 1.1676999e-1;
    p = p * f - 1.2420141e-1;
    p = p * f + 1.4249323e-1;
    p = p * f - 1.6668058e-1;
    p = p * f + 2.0000715e-1;
    p = p * f - 2.4999994e-1;
    p = p * f + 3.3333331e-1;
    let s = f * f;
    return f + (p * f * s + n * -2.12194440e-4 - 0.5 * s) + n * 0.693359375;
}
