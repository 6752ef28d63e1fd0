use std::sync::Arc;

use busway_core::{Error, ErrorKind, FieldError, NewEvent as RawNewEvent, Owner, TenantId};

/// Who acts. A tenant's name is checked when it is first used, so that a chain of calls needs one `?`.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    Installation,
    Tenant(TenantId),
    Misnamed(Arc<str>),
}

impl Scope {
    pub(crate) fn tenant(name: &str) -> Self {
        match TenantId::new(name) {
            Ok(id) => Self::Tenant(id),
            Err(_) => Self::Misnamed(name.into()),
        }
    }

    pub(crate) fn owner(&self) -> Result<Owner, Error> {
        match self {
            Self::Installation => Ok(Owner::Installation),
            Self::Tenant(id) => Ok(Owner::Tenant(id.clone())),
            Self::Misnamed(name) => TenantId::new(&**name).map(Owner::Tenant),
        }
    }

    /// Whose event it will be: a tenant's own and no other's, the installation's any.
    pub(crate) fn admit(&self, mut event: RawNewEvent, default: &TenantId) -> Result<RawNewEvent, Error> {
        let tenant = match (self.owner()?, event.tenant.take()) {
            (Owner::Tenant(own), Some(named)) if own != named => return Err(foreign(&named, &own)),
            (Owner::Tenant(own), _) => own,
            (Owner::Installation, named) => named.unwrap_or_else(|| default.clone()),
        };
        event.tenant = Some(tenant);
        Ok(event)
    }
}

fn foreign(named: &TenantId, own: &TenantId) -> Error {
    let detail = format!("names the tenant {named}, and this handle publishes for {own} alone");
    Error::invalid(ErrorKind::Forbidden, vec![FieldError::new("/tenantId", "foreign_tenant", detail)])
}
