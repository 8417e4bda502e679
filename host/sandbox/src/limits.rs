//! How large an instance may grow.

use wasmtime::{ResourceLimiter, Result};

/// Entries in one table of functions; engines of a few megabytes have some thousands.
pub(crate) const TABLE_ELEMENTS: usize = 50_000;
/// Tables of one component: its own, and the one through which its imports are wired.
pub(crate) const TABLES: u32 = 4;
/// Core modules of one component.
pub(crate) const CORE_INSTANCES: u32 = 16;

/// Follows the growth of one instance.
#[derive(Debug)]
pub(crate) struct Growth {
    memory_bytes: usize,
    refused: bool,
}

impl Growth {
    pub(crate) fn up_to(memory_bytes: usize) -> Self {
        Self { memory_bytes, refused: false }
    }

    /// A kept instance begins its next call innocently.
    pub(crate) fn forget(&mut self) {
        self.refused = false;
    }

    /// Whether memory was asked for beyond the limit. Most guests end soon after.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let fits = desired <= self.memory_bytes;
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        1
    }
}
