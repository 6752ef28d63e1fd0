/// Fails the scenario unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(busway_core::conformance::Failed::new(format!($($why)+)));
        }
    };
}

/// Fails the scenario unless both are equal.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            let what = format!($($what)+);
            return Err(busway_core::conformance::Failed::new(format!("{what}: expected {expected:?}, found {found:?}")));
        }
    }};
}
