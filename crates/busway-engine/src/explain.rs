use busway_core::{Control, NewEvent, Result};

use crate::{Engine, Explained, registry::distance};

impl Engine {
    /// What these would reach, in the same order; publishes nothing.
    pub async fn explain(&self, events: &[NewEvent]) -> Result<Vec<Explained>> {
        let registry = self.inner.registry.load();
        let explain = |event: &NewEvent| {
            let tenant = event.tenant.as_ref().unwrap_or(&self.inner.config.default_tenant);
            let mut explained = Explained::default();
            let mut nearest: Option<(usize, &str)> = None;
            for record in registry.all().filter(|record| record.control != Control::Expired) {
                if record.owner.tenant().is_some_and(|owner| owner != tenant) {
                    continue;
                }
                if record.definition.types.matches(&event.event_type) {
                    explained.subscriptions.push(record.name.to_string());
                }
                for known in record.definition.types.included().iter().filter(|pattern| pattern.is_exact()) {
                    let near = (distance(known.as_str(), event.event_type.as_str()), known.as_str());
                    if near.0 > 0 && near.0 <= 2 && nearest.is_none_or(|nearest| near < nearest) {
                        nearest = Some(near);
                    }
                }
            }
            if explained.subscriptions.is_empty() {
                explained.warnings.push(format!("nothing listens to `{}`", event.event_type));
                explained.warnings.extend(nearest.map(|(_, known)| format!("did you mean `{known}`?")));
            }
            explained
        };
        Ok(events.iter().map(explain).collect())
    }
}
