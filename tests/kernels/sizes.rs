//! Sizes of products that are awkward.

/// M, N, K: single elements, around tile edges, primes, and few results over a long sum (split-K).
pub const SIZES: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (1, 1, 2500),
    (2, 65, 3),
    (63, 65, 257),
    (129, 17, 31),
    (16, 16, 16),
    (257, 513, 64),
    (300, 700, 130),
    (65, 130, 3001),
    (260, 30, 2049),
    (5, 1031, 7),
    (700, 3, 100),
];
