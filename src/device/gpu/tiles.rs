//! Tile shapes, and which one a product gets. Everything here follows from shapes and the adapter's kind,
//! never from a timing, so that sums keep their order.

/// The part of C that a workgroup and each of its threads make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// True: operands go through shared memory (`matmul.wgsl`); false: each thread reads them itself
    /// (`matmul_software.wgsl`).
    pub shared: bool,
}

impl Tile {
    /// For discrete GPUs and large products: 16 KiB of shared memory.
    pub const LARGE: Tile = Tile { m: 128, n: 128, k: 16, thread_m: 8, thread_n: 8, shared: true };
    /// For integrated GPUs, and where large tiles are too few.
    pub const MEDIUM: Tile = Tile { m: 64, n: 64, k: 16, thread_m: 4, thread_n: 8, shared: true };
    /// For products that are narrow or few.
    pub const SMALL: Tile = Tile { m: 32, n: 32, k: 16, thread_m: 4, thread_n: 4, shared: true };
    /// For software rasterizers.
    pub const SOFTWARE: Tile = Tile { m: 32, n: 64, k: 4, thread_m: 8, thread_n: 8, shared: false };
    /// For the epilogue after a split product.
    pub const REDUCE: Tile = Tile { m: 16, n: 64, k: 16, thread_m: 4, thread_n: 4, shared: false };
    /// Every shape that some adapter may choose.
    pub const ALL: [Tile; 4] = [Tile::LARGE, Tile::MEDIUM, Tile::SMALL, Tile::SOFTWARE];

    /// Threads of a workgroup.
    pub fn threads(&self) -> usize {
        (self.m / self.thread_m) * (self.n / self.thread_n)
    }

    /// Length of the shared array in vec4f: the operands' tiles, and what epilogues sum in.
    pub fn shared_quads(&self) -> usize {
        let operands = if self.shared { self.k * (self.m + self.n) / 4 } else { 0 };
        let columns = self.m / self.thread_m * self.n / 4;
        let rows = self.n / self.thread_n * self.m / 4;
        operands.max(columns).max(rows).max(self.threads())
    }

    /// How many cover an M × N product.
    pub fn count(&self, m: usize, n: usize) -> usize {
        m.div_ceil(self.m) * n.div_ceil(self.n)
    }
}

/// What decides the choice of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A discrete GPU (or a virtual one).
    Discrete,
    /// An integrated GPU.
    Integrated,
    /// A software rasterizer.
    Software,
}

impl Kind {
    /// Workgroups that keep the adapter busy.
    fn wanted(self) -> usize {
        match self {
            Kind::Discrete => 256,
            Kind::Integrated => 48,
            Kind::Software => 1,
        }
    }

    /// The tile of an M × N × K product.
    pub fn tile(self, m: usize, n: usize, k: usize) -> Tile {
        let busy = |tile: Tile| tile.count(m, n) * Self::most_slices(k) >= self.wanted() / 2;
        match self {
            Kind::Software => Tile::SOFTWARE,
            Kind::Discrete if m.min(n) > Tile::MEDIUM.m && busy(Tile::LARGE) => Tile::LARGE,
            _ if m.min(n) > Tile::SMALL.m && busy(Tile::MEDIUM) => Tile::MEDIUM,
            _ => Tile::SMALL,
        }
    }

    /// Into how many slices the summed dimension is cut when `tiles` tiles cover the product.
    pub fn slices(self, tiles: usize, k: usize) -> usize {
        (self.wanted() / tiles.max(1)).clamp(1, Self::most_slices(k))
    }

    /// A slice sums at least 256 products, and there are at most 64.
    fn most_slices(k: usize) -> usize {
        (k / 256).clamp(1, 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_keep_their_invariants() {
        for tile in Tile::ALL.into_iter().chain([Tile::REDUCE]) {
            assert!(tile.threads().is_power_of_two() && tile.threads() <= 256, "{tile:?}");
            assert!(tile.shared_quads() * 16 <= 16 << 10, "{tile:?}");
            assert!(tile.thread_m % 4 == 0 && tile.thread_n % 4 == 0 && tile.k % 4 == 0 && 16 % tile.k == 0);
        }
    }

    #[test]
    fn choice_follows_shapes() {
        assert_eq!(Kind::Discrete.tile(1024, 22_268, 500), Tile::LARGE);
        assert_eq!(Kind::Discrete.tile(1024, 500, 22_268), Tile::LARGE);
        assert_eq!(Kind::Discrete.slices(32, 22_268), 8);
        assert_eq!(Kind::Discrete.tile(500, 500, 1024), Tile::MEDIUM);
        assert_eq!(Kind::Integrated.tile(1024, 22_268, 500), Tile::MEDIUM);
        assert_eq!(Kind::Integrated.tile(1024, 20, 500), Tile::SMALL);
        assert_eq!(Kind::Software.slices(1, 100_000), 1);
    }
}
