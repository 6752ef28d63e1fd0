use std::future::Future;

use busway_core::conformance::Backend;

use super::Scenario;

/// Proves the engine on a backend: expands to one `#[test]` per scenario, so that none can be left out. The argument
/// is called for each and gives a future of a fresh, empty store, a [`Backend`].
///
/// ```no_run
/// use busway_core::{Result, Seam, Stores, conformance::Backend, memory::Memory};
///
/// struct Fresh(Stores);
///
/// #[async_trait::async_trait]
/// impl Backend for Fresh {
///     async fn open(&self) -> Result<Stores> {
///         Ok(self.0.clone())
///     }
/// }
///
/// async fn fresh() -> Fresh {
///     Fresh(Memory::new(Seam::system()).stores())
/// }
///
/// busway_engine::engine_conformance_tests!(fresh);
/// # fn main() {}
/// ```
///
/// A backend that needs a server says where each test looks for it, `engine_conformance_tests!(server => fresh)`:
/// `server` is called first and gives an `Option`, and without one the test returns; else `fresh` is called with it.
#[macro_export]
macro_rules! engine_conformance_tests {
    ($server:expr => $make:expr) => {
        $crate::__engine_scenarios! { [$crate::__engine_test_functions] ($server => $make) }
    };
    ($make:expr) => {
        $crate::__engine_scenarios! { [$crate::__engine_test_functions] (|| Some(()) => |()| $make()) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __engine_test_functions {
    (($server:expr => $make:expr) $($part:ident { $($name:ident)* })*) => {
        $($(
            #[test]
            fn $name() {
                let Some(server) = ($server)() else { return };
                $crate::conformance::test(stringify!($name), || ($make)(server));
            }
        )*)*
    };
}

/// Runs one scenario on a fresh store and panics if it fails: the body of a test.
///
/// # Panics
/// If the scenario fails, or there is none of that name.
pub fn test<B: Backend, F: Future<Output = B>>(name: &str, make: impl FnOnce() -> F) {
    let Some(scenario) = Scenario::named(name) else { panic!("there is no scenario `{name}`") };
    if let Err(failed) = scenario.run(make) {
        panic!("{name}: {failed}");
    }
}
