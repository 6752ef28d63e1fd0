use busway_core::{BoxError, Error, EventType as TypeName, Patterns, TenantId};
use busway_engine::inline::{Occurrence, Registration};

use crate::{EventType, scope::Scope, shared::Handle};

/// Calls `listener` with every value of the type that is emitted or published.
pub(crate) fn listen<T: EventType>(
    handle: &Handle,
    name: &str,
    listener: impl Fn(&T, &Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
) -> Registration {
    handle.engine().inline().on_values(checked::<T>(), name, listener)
}

/// Calls `listener` with everything emitted or published whose type matches.
pub(crate) fn listen_on(
    handle: &Handle,
    name: &str,
    pattern: &str,
    listener: impl Fn(&Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
) -> Result<Registration, Error> {
    Ok(handle.engine().inline().on_types(name, pattern.parse::<Patterns>()?, listener))
}

/// Calls the listeners of a value. A tenant's name that cannot be one has no caller to be told to, so it is logged.
pub(crate) fn emit<T: EventType>(handle: &Handle, value: &T) {
    let tenant: &TenantId = match &handle.scope {
        Scope::Installation => &handle.engine().config().default_tenant,
        Scope::Tenant(tenant) => tenant,
        Scope::Misnamed(name) => {
            tracing::error!(tenant = &**name, event_type = T::NAME, "nothing was emitted: the tenant's name is none");
            return;
        }
    };
    handle.engine().inline().emit_value(checked::<T>(), tenant, value);
}

/// The derive has checked the name; one written by hand is checked here, when the program is compiled.
fn checked<T: EventType>() -> &'static str {
    const { assert!(TypeName::is_valid(T::NAME), "NAME is no event type; one looks like `ticket.created`") };
    T::NAME
}
