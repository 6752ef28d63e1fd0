//! The memory backend keeps every promise of a backend, with one lane and with eight.

mod in_memory;

use in_memory::InMemory;

mod one_lane {
    busway_core::conformance_tests!(|| async { super::InMemory::with_lanes(1) });
}

mod eight_lanes {
    busway_core::conformance_tests!(|| async { super::InMemory::with_lanes(8) });
}
