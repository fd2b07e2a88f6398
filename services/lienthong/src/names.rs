//! Names of agencies and procedures as people read them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use lienthong_proto::v1::{GetStatusRequest, ListPeersRequest};
use lienthong_wire::directory::{AgencyEntry, DirectoryFile};

use crate::client::Client;

/// Shown names by id. What is not known is shown by its id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    agencies: BTreeMap<String, String>,
    procedures: BTreeMap<String, String>,
}

impl Names {
    /// From the text of a directory file.
    pub(crate) fn from_directory(text: &str) -> anyhow::Result<Self> {
        let directory = DirectoryFile::parse(text).context("read the directory")?;
        let agency = |a: AgencyEntry| (a.id.as_str().to_owned(), a.name);
        Ok(Self {
            agencies: directory.agencies.into_iter().map(agency).collect(),
            procedures: directory.procedures.into_iter().map(|p| (p.code, p.name)).collect(),
        })
    }

    /// From a directory file.
    pub(crate) fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Self::from_directory(&text).with_context(|| path.display().to_string())
    }

    /// What a node knows: the agencies it hosts, and the peers of `agency`. A node that does not say leaves ids.
    pub(crate) async fn from_node(client: &Client, agency: &str) -> Self {
        let mut names = Self::default();
        let mut node = client.node();
        if let Ok(status) = node.get_status(GetStatusRequest {}).await {
            names.agencies.extend(status.into_inner().agencies.into_iter().map(|a| (a.agency, a.name)));
        }
        if let Ok(peers) = node.list_peers(ListPeersRequest { agency: agency.to_owned() }).await {
            names.agencies.extend(peers.into_inner().peers.into_iter().map(|p| (p.agency, p.name)));
        }
        names.agencies.retain(|_, name| !name.is_empty());
        names
    }

    /// The file when one is given, the node otherwise.
    pub(crate) async fn of(client: &Client, agency: &str, file: Option<&Path>) -> anyhow::Result<Self> {
        match file {
            Some(path) => Self::from_file(path),
            None => Ok(Self::from_node(client, agency).await),
        }
    }

    /// The full name, such as «Ủy ban nhân dân xã An Thạnh 1».
    pub(crate) fn agency<'a>(&'a self, id: &'a str) -> &'a str {
        self.agencies.get(id).map_or(id, String::as_str)
    }

    /// The name for narrow places: «Xã An Thạnh 1».
    pub(crate) fn short(&self, id: &str) -> String {
        // An id stays as it is written.
        self.agencies.get(id).map_or_else(|| id.to_owned(), |name| shorten(name))
    }

    /// A procedure's name, or its code.
    pub(crate) fn procedure<'a>(&'a self, code: &'a str) -> &'a str {
        self.procedures.get(code).map_or(code, String::as_str)
    }

    /// Whether the directory has the agency.
    pub(crate) fn knows_agency(&self, id: &str) -> bool {
        self.agencies.contains_key(id)
    }
}

/// «Ủy ban nhân dân xã An Thạnh 1» as «Xã An Thạnh 1», «Sở Tư pháp tỉnh Sóc Trăng» as «Sở Tư pháp».
pub(crate) fn shorten(name: &str) -> String {
    let name = name.strip_prefix("Ủy ban nhân dân ").unwrap_or(name);
    // The province itself keeps its name.
    let name = name.split_once(" tỉnh ").map_or(name, |(before, _)| before);
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_directory() {
        let names =
            Names::from_directory(include_str!("../../../deploy/example/soc-trang-2024.toml")).unwrap();
        assert_eq!(names.agency("xa-an-thanh-1"), "Ủy ban nhân dân xã An Thạnh 1");
        assert_eq!(names.short("xa-an-thanh-1"), "Xã An Thạnh 1");
        assert_eq!(names.short("so-tu-phap"), "Sở Tư pháp");
        assert_eq!(names.short("nobody"), "nobody");
        assert_eq!(names.procedure("1.001193"), "Đăng ký khai sinh");
        assert!(names.knows_agency("so-xay-dung") && !names.knows_agency("nobody"));
    }
}
