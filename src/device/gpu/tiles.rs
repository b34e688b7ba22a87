//! Tile shapes, and which one a product gets. That follows from shapes and a table, which is the adapter's kind's or what a
//! user's calibration stored; never from a timing during a run, so that sums keep their order.

use serde::{Deserialize, Serialize};

use crate::device::recording::Layout;

/// How a workgroup's threads come by the operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Each thread reads them itself (`matmul_software.wgsl`).
    Direct,
    /// Through shared memory (`matmul.wgsl`).
    Shared,
    /// Rounded to f16, through shared memory to cooperative matrices (`matmul_cooperative.wgsl`) as an adapter has them.
    Cooperative {
        /// Rows and columns of a matrix: 16 or 8.
        side: usize,
        /// Threads that hold one together, an adapter's subgroup: 8 to 64, and no fewer than `side`.
        group: usize,
    },
    /// The same without cooperative matrices, for tests (`matmul_emulated.wgsl`).
    Emulated,
}

/// The part of C that a workgroup and each of its threads make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tile {
    /// Rows a workgroup (BM).
    pub m: usize,
    /// Columns a workgroup (BN).
    pub n: usize,
    /// Summed dimension held in shared memory at a time (BK).
    pub k: usize,
    /// Rows a thread (TM).
    pub thread_m: usize,
    /// Columns a thread (TN).
    pub thread_n: usize,
    /// To the threads.
    pub way: Way,
}

impl Tile {
    /// For discrete GPUs and large products: 16 KiB of shared memory.
    pub const LARGE: Tile = Tile { m: 128, n: 128, k: 16, thread_m: 8, thread_n: 8, way: Way::Shared };
    /// For integrated GPUs, and where large tiles are too few.
    pub const MEDIUM: Tile = Tile { m: 64, n: 64, k: 16, thread_m: 4, thread_n: 8, way: Way::Shared };
    /// For weight gradients on discrete GPUs.
    pub const GRADIENT: Tile = Tile { m: 128, n: 64, k: 16, thread_m: 8, thread_n: 8, way: Way::Shared };
    /// For products that are narrow or few.
    pub const SMALL: Tile = Tile { m: 32, n: 32, k: 16, thread_m: 4, thread_n: 4, way: Way::Shared };
    /// For software rasterizers.
    pub const SOFTWARE: Tile = Tile { m: 32, n: 64, k: 4, thread_m: 8, thread_n: 8, way: Way::Direct };
    /// For the epilogue after a split product.
    pub const REDUCE: Tile = Tile { m: 16, n: 64, k: 16, thread_m: 4, thread_n: 4, way: Way::Direct };
    /// For f16 operands on cooperative matrices of 16 × 16 of 32 threads, with 48 KiB of shared memory: many, and few.
    pub const COOPERATIVE: [Tile; 2] = Tile::cooperative(16, 32, 48 << 10);
    /// The same by plain arithmetic.
    pub const EMULATED: Tile = Tile { way: Way::Emulated, ..Tile::COOPERATIVE[0] };

    /// For cooperative matrices of `side` × `side` of `group` threads: tiles for products of many, operands' pieces as deep as so many bytes of
    /// shared memory hold beside the strip of C; and tiles for products of few.
    pub const fn cooperative(side: usize, group: usize, memory: usize) -> [Tile; 2] {
        let way = Way::Cooperative { side, group };
        let [k, k_few] = if memory >= 48 << 10 { [48, 32] } else { [16, 16] };
        // two groups at least
        let thread_m = if group > 32 { 4 } else { 8 };
        [
            Tile { m: 128, n: 128, k, thread_m: 16, thread_n: 4, way },
            Tile { m: 32, n: 64, k: k_few, thread_m, thread_n: 4, way },
        ]
    }
    /// Every shape that some adapter may choose by itself.
    pub const ALL: [Tile; 5] = [Tile::LARGE, Tile::GRADIENT, Tile::MEDIUM, Tile::SMALL, Tile::SOFTWARE];

    /// What a calibration tries on adapters of this kind.
    pub fn candidates(kind: Kind) -> Vec<Tile> {
        let way = if kind == Kind::Software { Way::Direct } else { Way::Shared };
        let tile = |[m, n, k, thread_m, thread_n]: [usize; 5]| Tile { m, n, k, thread_m, thread_n, way };
        match way {
            Way::Direct => vec![[32, 64, 4, 8, 8], [64, 64, 4, 8, 8], [32, 32, 4, 4, 8], [16, 64, 4, 4, 8]],
            _ => vec![
                [128, 128, 16, 8, 8],
                [128, 128, 8, 8, 8],
                [128, 64, 16, 8, 8],
                [64, 128, 16, 8, 8],
                [64, 64, 16, 4, 8],
                [64, 64, 16, 4, 4],
                [32, 64, 16, 4, 8],
                [32, 32, 16, 4, 4],
            ],
        }
        .into_iter()
        .map(tile)
        .collect()
    }

    /// Whether a kernel can be made of it that every adapter may run, but for those of cooperative matrices.
    pub fn is_sound(&self) -> bool {
        let Tile { m, n, k, thread_m, thread_n, way } = *self;
        let whole = |size: usize, part: usize| part > 0 && size.is_multiple_of(part);
        matches!(way, Way::Direct | Way::Shared)
            && [m, n].iter().all(|size| (1..=256).contains(size))
            && whole(thread_m, 4)
            && whole(thread_n, 4)
            && whole(k, 4)
            && whole(16, k)
            && whole(m, thread_m)
            && whole(n, thread_n)
            && thread_m * thread_n <= 64
            && self.threads().is_power_of_two()
            && self.threads() <= 256
            && self.shared_quads(1) * 16 <= 16 << 10
            // as `turned` in matmul.wgsl wants it
            && (way == Way::Direct || whole(m / thread_m, 8) && whole(n / thread_n, 8))
    }

    /// Threads of a workgroup.
    pub fn threads(&self) -> usize {
        (self.m / self.thread_m) * (self.n / self.thread_n)
    }

    /// Length of the shared array in vec4f: so many pieces of the operands, or a strip of C, and what epilogues sum in.
    pub fn shared_quads(&self, stages: usize) -> usize {
        let operands = if self.way == Way::Shared { stages * self.k * (self.m + self.n) / 4 } else { 0 };
        let columns = self.m / self.thread_m * self.n / 4;
        let rows = self.n / self.thread_n * self.m / 4;
        let strip = if matches!(self.way, Way::Cooperative { .. } | Way::Emulated) {
            32 * (self.n / 4 + 1)
        } else {
            0
        };
        operands.max(columns).max(rows).max(strip).max(self.threads())
    }

    /// How many cover an M × N product.
    pub fn count(&self, m: usize, n: usize) -> usize {
        m.div_ceil(self.m) * n.div_ceil(self.n)
    }
}

/// What decides the choice of tiles without a calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A discrete GPU (or a virtual one).
    Discrete,
    /// An integrated GPU.
    Integrated,
    /// A software rasterizer.
    Software,
}

/// The table by which products get their tiles and slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tuning {
    /// For products of more than 64 rows and columns, where such tiles are enough to keep the adapter busy.
    pub large: Tile,
    /// The same for weight gradients (`Tn`), where that is another: they end with the update's traffic, beside which other workgroups of smaller
    /// tiles multiply.
    #[serde(default)]
    pub gradient: Option<Tile>,
    /// The same for more than 32.
    pub medium: Tile,
    /// For all others.
    pub small: Tile,
    /// Workgroups that keep the adapter busy: a long sum is cut until there are as many.
    pub workgroups: usize,
    /// Products of f16 operands run on cooperative matrices.
    pub cooperative: bool,
    /// Kernels run without the checks that wgpu adds to loops, indices and divisions, and without zeroed workgroup memory: on
    /// hardware, where a checked product takes eight to eighteen times as long. `GENELIFT_SHADER_CHECKS=1` turns them on.
    #[serde(default)]
    pub unchecked: bool,
    /// Shared memory holds two pieces of the operands where it has room for both: one arrives while the other is multiplied.
    #[serde(default)]
    pub double_buffered: bool,
}

impl Tuning {
    /// Whether kernels can be made of it.
    pub fn is_valid(&self) -> bool {
        [self.large, self.medium, self.small].iter().chain(&self.gradient).all(Tile::is_sound)
            && (1..=1 << 16).contains(&self.workgroups)
    }

    /// What adapters of this kind get without a calibration.
    pub fn of(kind: Kind) -> Tuning {
        let (large, medium, small, workgroups) = match kind {
            Kind::Discrete => (Tile::LARGE, Tile::MEDIUM, Tile::SMALL, 256),
            Kind::Integrated => (Tile::MEDIUM, Tile::MEDIUM, Tile::SMALL, 48),
            Kind::Software => (Tile::SOFTWARE, Tile::SOFTWARE, Tile::SOFTWARE, 1),
        };
        let (unchecked, double_buffered) = (kind != Kind::Software, kind == Kind::Discrete);
        let gradient = (kind == Kind::Discrete).then_some(Tile::GRADIENT);
        Tuning { large, gradient, medium, small, workgroups, cooperative: false, unchecked, double_buffered }
    }

    /// The tile of an M × N × K product.
    pub fn tile(&self, layout: Layout, [m, n, k]: [usize; 3]) -> Tile {
        let large = self.gradient.filter(|_| layout == Layout::Tn).unwrap_or(self.large);
        match m.min(n) {
            65.. if self.busy(large, [m, n, k]) => large,
            33.. if self.busy(self.medium, [m, n, k]) => self.medium,
            _ => self.small,
        }
    }

    /// Whether tiles of an M × N × K product are enough to keep the adapter busy.
    pub fn busy(&self, tile: Tile, [m, n, k]: [usize; 3]) -> bool {
        tile.count(m, n) * Self::most_slices(k) >= self.workgroups / 2
    }

    /// Into how many slices the summed dimension is cut when `tiles` tiles cover the product.
    pub fn slices(&self, tiles: usize, k: usize) -> usize {
        (self.workgroups / tiles.max(1)).clamp(1, Self::most_slices(k))
    }

    /// A slice sums at least 128 products, and there are at most 64.
    fn most_slices(k: usize) -> usize {
        (k / 128).clamp(1, 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_keep_their_invariants() {
        let candidates = [Kind::Discrete, Kind::Software].map(Tile::candidates).concat();
        for tile in Tile::ALL.into_iter().chain([Tile::REDUCE]).chain(candidates) {
            assert!(tile.is_sound(), "{tile:?}");
        }
        // what shaders/shared/half_tiles.wgsl is written for
        for group in [8, 16, 32, 64] {
            for (tile, threads) in
                Tile::cooperative(16, group, 48 << 10).into_iter().zip([256, 64.max(2 * group)])
            {
                let Tile { m, n, k, thread_m, thread_n, .. } = tile;
                assert_eq!((m % 32, n % 64, k % 16, thread_n, tile.threads()), (0, 0, 0, 4, threads));
                let quads = |rows: usize| (rows * (k / 4 + 2)).max(k * (rows / 4 + 2));
                let bytes = 8 * (quads(m) + quads(n)) + 16 * tile.shared_quads(1);
                assert!(bytes <= 48 << 10 && (thread_m * 32).is_multiple_of(m), "{tile:?}: {bytes}");
            }
        }
    }

    #[test]
    fn choice_follows_shapes() {
        let [discrete, integrated, software] =
            [Kind::Discrete, Kind::Integrated, Kind::Software].map(Tuning::of);
        let tile = |tuning: Tuning, m, n, k| tuning.tile(Layout::Nt, [m, n, k]);
        assert_eq!(tile(discrete, 1024, 22_268, 500), Tile::LARGE);
        assert_eq!(tile(discrete, 1024, 500, 22_268), Tile::LARGE);
        assert_eq!(discrete.tile(Layout::Tn, [22_268, 500, 1024]), Tile::GRADIENT);
        assert_eq!(integrated.tile(Layout::Tn, [22_268, 500, 1024]), Tile::MEDIUM);
        assert_eq!(discrete.slices(32, 22_268), 8);
        assert_eq!(tile(discrete, 500, 500, 500), Tile::MEDIUM);
        assert_eq!(discrete.slices(Tile::SMALL.count(256, 100), 500), 3);
        assert_eq!(tile(integrated, 1024, 22_268, 500), Tile::MEDIUM);
        assert_eq!(tile(integrated, 1024, 20, 500), Tile::SMALL);
        assert_eq!(tile(software, 1024, 20, 500), Tile::SOFTWARE);
        assert_eq!(software.slices(1, 100_000), 1);
    }
}
