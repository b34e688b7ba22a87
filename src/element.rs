//! The type of a stored number: what stores and devices have in common.

/// Type of one stored element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE single precision.
    F32,
    /// IEEE half precision; arithmetic is in f32 after loading.
    F16,
    /// The upper half of an f32 (bfloat16): its range, eight bits of precision. The CPU executor's, in memory alone.
    Bf16,
    /// Unsigned integers (row indices).
    U32,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::F32 | Element::U32 => 4,
            Element::F16 | Element::Bf16 => 2,
        }
    }
}
