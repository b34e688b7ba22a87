// Half precision without the f16 extension. The rounding of pack2x16float is the driver's choice (some
// truncate), so it is done here, to nearest even, in integers.

fn half_bits(v: vec4f) -> vec4u {
    let bits = bitcast<vec4u>(v);
    let magnitude = bits & vec4u(0x7fffffffu);
    let rounded = magnitude + 0xfffu + ((magnitude >> vec4u(13u)) & vec4u(1u));
    let normal = min((rounded - 0x38000000u) >> vec4u(13u), vec4u(0x7c00u));
    let subnormal = vec4u(round(abs(v) * 16777216.0)); // units of 2^-24
    let finite = select(normal, subnormal, magnitude < vec4u(0x38800000u));
    let half = select(finite, vec4u(0x7e00u), magnitude > vec4u(0x7f800000u));
    return half | ((bits >> vec4u(16u)) & vec4u(0x8000u));
}

fn pack_half(v: vec4f) -> vec2u {
    let h = half_bits(v);
    return h.xz | (h.yw << vec2u(16u));
}

fn unpack_half(packed: vec2u) -> vec4f {
    return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
