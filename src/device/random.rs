//! Counter-based random numbers: every value is a pure function of its key, so it does not matter in which
//! order, on which executor or on how many threads it is drawn.

/// Four random words from four key words: `pcg4d` of Jarzynski and Olano, "Hash Functions for GPU
/// Rendering", JCGT 9(3), 2020. `shaders/shared/random.wgsl` is the same function.
pub fn pcg4d(key: [u32; 4]) -> [u32; 4] {
    let [mut x, mut y, mut z, mut w] = key.map(|k| k.wrapping_mul(1664525).wrapping_add(1013904223));
    let mix = |x: &mut u32, y: &mut u32, z: &mut u32, w: &mut u32| {
        *x = x.wrapping_add(y.wrapping_mul(*w));
        *y = y.wrapping_add(z.wrapping_mul(*x));
        *z = z.wrapping_add(x.wrapping_mul(*y));
        *w = w.wrapping_add(y.wrapping_mul(*z));
    };
    mix(&mut x, &mut y, &mut z, &mut w);
    x ^= x >> 16;
    y ^= y >> 16;
    z ^= z >> 16;
    w ^= w >> 16;
    mix(&mut x, &mut y, &mut z, &mut w);
    [x, y, z, w]
}

/// The four dropout words of columns `4·quad..4·quad+4` of row `row`. The key is
/// (seed low ^ row, seed high ^ layer·0x9E3779B9, step, quad).
pub fn dropout_words(seed: u64, step: u64, layer: u32, row: u32, quad: u32) -> [u32; 4] {
    pcg4d([seed as u32 ^ row, (seed >> 32) as u32 ^ layer.wrapping_mul(0x9E37_79B9), step as u32, quad])
}

/// The words behind the Gumbel noise of columns `4·quad..4·quad+4` of row `row`, from a stream that no layer's
/// dropout uses; [`super::math::gumbel`] makes the noise of them.
pub fn gumbel_words(seed: u64, step: u64, row: u32, quad: u32) -> [u32; 4] {
    dropout_words(seed, step, GUMBEL, row, quad)
}

/// The place of the Gumbel noise among the layers' streams.
pub const GUMBEL: u32 = u32::MAX;

/// A value is kept when its word is at least this: rate·2³², rounded.
pub fn dropout_threshold(rate: f32) -> u32 {
    (f64::from(rate) * 4_294_967_296.0).round().min(4_294_967_295.0) as u32
}

/// A stream of 64-bit words, SplitMix64 (Steele, Lea & Flood 2014), for host-side draws.
#[derive(Debug, Clone)]
pub struct Stream(u64);

impl Stream {
    /// The stream of `(seed, purpose, index)`; different purposes never share a stream.
    pub fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let key = xxhash_rust::xxh3::xxh3_64_with_seed(purpose.as_bytes(), seed);
        Stream(xxhash_rust::xxh3::xxh3_64_with_seed(&index.to_le_bytes(), key))
    }

    /// The next word.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1) with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform integer in [0, n), unbiased (Lemire's multiply-shift with rejection).
    ///
    /// # Panics
    /// If n is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "below(0)");
        let threshold = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Shuffles in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pcg4d_is_the_published_function() {
        // Evaluated with the reference GLSL transcribed to Python integers.
        let reference = |k: [u32; 4]| {
            let m = 0xFFFF_FFFFu64;
            let mut v = k.map(|x| (u64::from(x) * 1664525 + 1013904223) & m);
            let round = |v: &mut [u64; 4]| {
                v[0] = (v[0] + v[1] * v[3]) & m;
                v[1] = (v[1] + v[2] * v[0]) & m;
                v[2] = (v[2] + v[0] * v[1]) & m;
                v[3] = (v[3] + v[1] * v[2]) & m;
            };
            round(&mut v);
            for x in &mut v {
                *x ^= *x >> 16;
            }
            round(&mut v);
            v.map(|x| x as u32)
        };
        for key in [[0, 0, 0, 0], [1, 2, 3, 4], [u32::MAX, 7, 0x8000_0000, 12345]] {
            assert_eq!(pcg4d(key), reference(key));
        }
    }

    #[test]
    fn dropout_keeps_the_asked_share() {
        let threshold = dropout_threshold(0.1);
        let mut kept = 0u32;
        for row in 0..500 {
            for quad in 0..125 {
                kept += dropout_words(42, 7, 1, row, quad).iter().filter(|w| **w >= threshold).count() as u32;
            }
        }
        let share = f64::from(kept) / 250_000.0;
        assert!((share - 0.9).abs() < 0.003, "{share}"); // five standard errors
    }

    #[test]
    fn below_is_uniform_and_shuffle_is_a_permutation() {
        let mut stream = Stream::new(1, "test", 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|c| (9_500..10_500).contains(c)), "{counts:?}");
        let mut items: Vec<u32> = (0..257).collect();
        stream.shuffle(&mut items);
        assert_ne!(items, (0..257).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..257).collect::<Vec<_>>());
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = |s, p, i| Stream::new(s, p, i).next_u64();
        let base = first(1, "a", 0);
        assert!([first(2, "a", 0), first(1, "b", 0), first(1, "a", 1)].iter().all(|x| *x != base));
        assert_eq!(base, first(1, "a", 0));
    }
}
