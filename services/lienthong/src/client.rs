//! The way to a node's gRPC door, and the options that commands share.

use std::time::Duration;

use anyhow::Context;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::node_service_client::NodeServiceClient;
use lienthong_proto::v1::{Act, DossierRef, Officer, dossier_ref};
use tonic::transport::{Channel, Endpoint};

use crate::failure::Refusal;

/// Largest answer that is read: a whole page of dossiers, or a trail with all its notes.
const ANSWER_BYTES: usize = 16 << 20;
/// A node on the same machine or in the same office answers at once; a dead address must not hang a clerk.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Bytes of randomness in an idempotency key: no two keys of one dossier's life meet.
const KEY_RANDOM_BYTES: usize = 12;

/// Where the node is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Door {
    /// The node's gRPC address
    #[arg(long, value_name = "URL", env = "LIENTHONG_NODE", default_value = "http://127.0.0.1:7443")]
    pub node: String,
}

/// As which agency.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct As {
    /// The acting agency, by its id in the directory
    #[arg(long = "as", value_name = "AGENCY", env = "LIENTHONG_AGENCY")]
    pub agency: String,
}

/// As whom, and under which idempotency key.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Acting {
    #[command(flatten)]
    pub who: As,
    /// The acting officer (cán bộ), by the id your own system knows
    #[arg(long, value_name = "ID", env = "LIENTHONG_OFFICER_ID")]
    pub officer_id: String,
    /// The officer's name as the control sheet shows it
    #[arg(long, value_name = "NAME", env = "LIENTHONG_OFFICER_NAME")]
    pub officer_name: String,
    /// Idempotency key: repeat a call with its key, and it is done once [default: a new one, printed]
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

/// A connection to one node.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    channel: Channel,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(url.to_owned())
            .with_context(|| format!("--node {url} is no address such as http://127.0.0.1:7443"))?
            .connect_timeout(CONNECT_WAIT)
            .user_agent(concat!("lienthong/", env!("CARGO_PKG_VERSION")))?;
        let channel = endpoint.connect().await.map_err(|error| {
            let status = tonic::Status::unavailable(format!("connect to {url}: {error}"));
            anyhow::Error::new(Refusal::from(status))
        })?;
        Ok(Self { channel })
    }

    /// Dossiers.
    pub(crate) fn dossiers(&self) -> DossierServiceClient<Channel> {
        DossierServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES)
    }

    /// The node itself.
    pub(crate) fn node(&self) -> NodeServiceClient<Channel> {
        NodeServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES)
    }
}

impl Acting {
    /// The part of a request that says who acts, with a key.
    pub(crate) fn act(&self) -> anyhow::Result<Act> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => format!("cli-{}", random_hex(KEY_RANDOM_BYTES)?),
        };
        let officer = Officer { id: self.officer_id.clone(), name: self.officer_name.clone() };
        Ok(Act { agency: self.who.agency.clone(), idempotency_key: key, officer: Some(officer) })
    }
}

/// `bytes` random bytes as hexadecimal digits.
pub(crate) fn random_hex(bytes: usize) -> anyhow::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("get randomness: {error}"))?;
    Ok(hex::encode(random))
}

/// A dossier named on the command line: 64 hexadecimal digits are an id, everything else is a code.
pub(crate) fn dossier_ref(text: &str) -> DossierRef {
    let is_id = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let by = if is_id {
        dossier_ref::By::Id(text.to_ascii_lowercase())
    } else {
        dossier_ref::By::Code(text.to_owned())
    };
    DossierRef { by: Some(by) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_codes_are_told_apart() {
        let id = "AB".repeat(32);
        assert_eq!(dossier_ref(&id).by, Some(dossier_ref::By::Id("ab".repeat(32))));
        let code = "H51.40-240115-0001";
        assert_eq!(dossier_ref(code).by, Some(dossier_ref::By::Code(code.into())));
    }

    #[test]
    fn every_call_has_a_key_of_its_own() {
        let acting = Acting {
            who: As { agency: "a".into() },
            officer_id: "1".into(),
            officer_name: "Lan".into(),
            key: None,
        };
        let (one, two) = (acting.act().unwrap(), acting.act().unwrap());
        assert_ne!(one.idempotency_key, two.idempotency_key);
        assert!(one.idempotency_key.len() <= lienthong_core::limits::KEY_BYTES);
    }
}
