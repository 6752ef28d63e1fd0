use clap::Args;
use hyper::{Method, StatusCode, body::Bytes};

use super::list;
use crate::{
    failure::Failure,
    http::{Answer, Client, encoded, query},
    nearest::did_you_mean,
    text::printable,
};

/// Which subscription is meant.
#[derive(Debug, Args)]
pub(super) struct Name {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The tenant that owns it [default: the installation]
    #[arg(long)]
    pub(crate) tenant: Option<String>,
}

impl Name {
    /// The path of the subscription or of something below it, like `/pull`.
    pub(crate) fn path(&self, below: &str, flags: &[(&str, bool)]) -> String {
        let flags = flags.iter().map(|(name, on)| (*name, on.then_some("true")));
        let query = query(flags.chain([("tenant", self.tenant.as_deref())]));
        format!("/api/subscriptions/{}{below}{query}", encoded(&self.name))
    }

    /// One call about the subscription; one that is not there is told with the names nearest to its own.
    pub(crate) async fn call(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, Failure> {
        let answer = client.try_send(method, path, body).await?;
        match answer.status {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND if answer.problem().code == "not_found" => Err(self.unknown(client).await),
            _ => Err(answer.problem().into_failure()),
        }
    }

    async fn unknown(&self, client: &Client) -> Failure {
        let of = self.tenant.as_deref().map(|tenant| format!(" of `{tenant}`")).unwrap_or_default();
        let headline = format!("no subscription `{}`{of}", self.name);
        let Ok(known) = list::read(client, None).await else {
            return Failure::refused("not_found", printable(&headline));
        };
        let owned = known.iter().filter(|subscription| subscription.tenant == self.tenant);
        let near = did_you_mean(&self.name, owned.map(|subscription| subscription.name.as_str()));
        let elsewhere = known.iter().find(|subscription| subscription.name == self.name);
        let hint = match elsewhere.map(|subscription| subscription.tenant.as_deref()) {
            Some(Some(tenant)) => format!("; `{tenant}` has one: --tenant {tenant}"),
            Some(None) => "; the installation has one: leave --tenant out".into(),
            None => near,
        };
        Failure::refused("not_found", printable(&(headline + &hint)))
    }
}
