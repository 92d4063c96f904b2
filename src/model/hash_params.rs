//! The cost parameters of a hash, and their bounds.

/// The equivalent settings of memory and iterations in the OWASP Password Storage Cheat Sheet.
const OWASP: [(u32, u32); 5] = [
    (47_104, 1),
    (19_456, 2),
    (12_288, 3),
    (9_216, 4),
    (7_168, 5),
];

/// The cost of a hash. Default: OWASP's 7,168 KiB, 5 iterations, parallelism 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParams {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

impl HashParams {
    /// The cheapest ones.
    pub const LEAST: Self = Self {
        memory_kib: 8,
        iterations: 1,
        parallelism: 1,
    };

    /// `None` outside of the bounds, which also apply to stored hashes: memory 8–262,144 KiB and at least 8 KiB per
    /// lane, iterations 1–20, parallelism 1–4.
    #[must_use]
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Option<Self> {
        let allowed = (8..=262_144).contains(&memory_kib)
            && (1..=20).contains(&iterations)
            && (1..=4).contains(&parallelism)
            && memory_kib >= 8 * parallelism;
        allowed.then_some(Self {
            memory_kib,
            iterations,
            parallelism,
        })
    }

    /// Memory in KiB.
    #[must_use]
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub fn iterations(self) -> u32 {
        self.iterations
    }

    /// Lanes, computed one after the other.
    #[must_use]
    pub fn parallelism(self) -> u32 {
        self.parallelism
    }

    /// Whether this is cheaper than every choice of the OWASP Password Storage Cheat Sheet.
    #[must_use]
    pub fn is_below_owasp(self) -> bool {
        !OWASP
            .iter()
            .any(|&(memory, iterations)| self.memory_kib >= memory && self.iterations >= iterations)
    }

    /// The cost of one guess for an attacker, for comparing two sets of parameters.
    #[must_use]
    pub fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }
}

impl Default for HashParams {
    fn default() -> Self {
        Self {
            memory_kib: 7_168,
            iterations: 5,
            parallelism: 1,
        }
    }
}
