//! The engine keeps every promise on the memory backend, with one lane and with eight.

mod in_memory;

mod one_lane {
    busway_engine::engine_conformance_tests!(|| async { super::in_memory::InMemory::with_lanes(1) });
}

mod eight_lanes {
    busway_engine::engine_conformance_tests!(|| async { super::in_memory::InMemory::with_lanes(8) });
}
