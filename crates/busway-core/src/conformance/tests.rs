use std::{future::Future, sync::Arc};

use super::{Backend, Check};

/// Proves a backend: expands to one `#[test]` per check, so that none can be left out. The argument is called for
/// each and gives a future of a fresh, empty store, a [`Backend`](crate::conformance::Backend).
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
/// busway_core::conformance_tests!(fresh);
/// # fn main() {}
/// ```
///
/// A backend that needs a server says where each test looks for it, `conformance_tests!(server => fresh)`: `server`
/// is called first and gives an `Option`, and without one the test returns; else `fresh` is called with it.
#[macro_export]
macro_rules! conformance_tests {
    ($server:expr => $make:expr) => {
        $crate::__conformance_checks! { [$crate::__conformance_test_functions] ($server => $make) }
    };
    ($make:expr) => {
        $crate::__conformance_checks! { [$crate::__conformance_test_functions] (|| Some(()) => |()| $make()) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test_functions {
    (($server:expr => $make:expr) $($group:ident::$part:ident $needs:ident { $($name:ident)* })*) => {
        $($(
            #[test]
            fn $name() {
                let Some(server) = ($server)() else { return };
                $crate::conformance::test(stringify!($name), || ($make)(server));
            }
        )*)*
    };
}

/// Runs one check on a fresh store and panics if it fails: the body of a test.
///
/// # Panics
/// If the check fails, or there is none of that name.
pub fn test<B: Backend, F: Future<Output = B>>(name: &str, make: impl FnOnce() -> F) {
    let Some(check) = Check::named(name) else { panic!("there is no check `{name}`") };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime to run `{name}` on: {error}"),
    };
    let outcome = runtime.block_on(async {
        let backend = Arc::new(make().await);
        let outcome = check.run(backend.clone()).await;
        backend.remove().await;
        outcome
    });
    if let Err(failed) = outcome {
        panic!("{}: {failed}", check.name);
    }
}
