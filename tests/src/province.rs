//! A small province: a directory, keys and nodes in a temporary folder.

use std::path::{Path, PathBuf};

use lienthong_core::directory::{Pattern, Rule};
use lienthong_core::ids::AgencyId;
use lienthong_runtime::NodeConfig;
use lienthong_runtime::config::AgencySection;
use lienthong_wire::directory::{AgencyEntry, Authority, DirectoryFile, PublicKey};
use lienthong_wire::keys;
use tempfile::TempDir;

use crate::desk::{Desk, Ops};
use crate::node::NodeProcess;
use crate::ports::Port;

/// A directory and the nodes of its agencies.
#[derive(Debug)]
pub struct Province {
    nodes: Vec<(Vec<String>, NodeProcess)>,
    dir: TempDir,
}

impl Province {
    /// Writes directory, keys and configurations of nodes that host these agencies; a node is named after its first.
    /// Every agency may hand everything to every other. No node is started.
    pub fn lay_out(nats_url: &str, nodes: &[&[&str]]) -> Self {
        Self::lay_out_with(nats_url, nodes, |_| ())
    }

    /// The same with the configuration of each node changed before it is written.
    pub fn lay_out_with(nats_url: &str, nodes: &[&[&str]], change: impl Fn(&mut NodeConfig)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut directory = empty_directory(&authority_key(dir.path()));
        let mut laid = Vec::new();
        for agencies in nodes {
            let folder = dir.path().join(agencies[0]);
            std::fs::create_dir(&folder).expect("a folder for the node");
            let port = Port::take();
            let mut config = node_config(agencies[0], &folder, nats_url, port.number);
            config.node.directory = dir.path().join("directory.toml");
            for id in *agencies {
                let key_file = folder.join(format!("{id}.key"));
                directory.agencies.push(agency(id, directory.agencies.len(), &key_file));
                config.node.agencies.push(AgencySection { id: (*id).to_owned(), key_file });
            }
            change(&mut config);
            let node = NodeProcess::new(agencies[0], &folder, &config.node.data_dir, port);
            let text = toml::to_string(&config).expect("a configuration can be written");
            std::fs::write(&node.config, text).expect("the configuration is written");
            laid.push((agencies.iter().map(|id| (*id).to_owned()).collect(), node));
        }
        let province = Self { nodes: laid, dir };
        std::fs::write(province.directory_file(), directory.to_toml()).expect("the directory is written");
        province
    }

    /// The directory file of all nodes.
    pub fn directory_file(&self) -> PathBuf {
        self.dir.path().join("directory.toml")
    }

    /// The key of the directory's authority.
    pub fn authority_key(&self) -> PathBuf {
        authority_key(self.dir.path())
    }

    /// The directory.
    pub fn directory(&self) -> DirectoryFile {
        let text = std::fs::read_to_string(self.directory_file()).expect("the directory");
        DirectoryFile::parse(&text).expect("a sound directory")
    }

    /// The temporary folder of all.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The node that hosts an agency.
    pub fn node(&mut self, agency: &str) -> &mut NodeProcess {
        let hosting = self.nodes.iter_mut().find(|(agencies, _)| agencies.iter().any(|a| a == agency));
        &mut hosting.unwrap_or_else(|| panic!("no node hosts {agency}")).1
    }

    /// All nodes.
    pub fn nodes(&mut self) -> impl Iterator<Item = &mut NodeProcess> {
        self.nodes.iter_mut().map(|(_, node)| node)
    }

    /// Starts every node that does not run, side by side, and waits until all are ready.
    pub async fn start(&mut self) {
        let stopped: Vec<&mut NodeProcess> =
            self.nodes().filter_map(|n| (!n.is_running()).then_some(n)).collect();
        let mut started = Vec::new();
        for node in stopped {
            node.spawn(&Default::default());
            started.push(node);
        }
        for node in started {
            if let Err(ended) = node.ready().await {
                panic!("{} ended at start ({}):\n{}", node.name, ended.status, ended.log);
            }
        }
    }

    /// Ends every node in order.
    pub async fn stop(&mut self) {
        for node in self.nodes() {
            node.stop().await;
        }
    }

    /// Officers of an agency, at the node that hosts it.
    pub fn desk(&mut self, agency: &str) -> Desk {
        Desk::new(agency, self.node(agency).channel())
    }

    /// What an operator asks the node of an agency.
    pub fn ops(&mut self, agency: &str) -> Ops {
        Ops::new(agency, self.node(agency).channel())
    }
}

/// Where the key of a directory's authority lies.
fn authority_key(dir: &Path) -> PathBuf {
    dir.join("authority.key")
}

/// A directory of an authority with a new key.
fn empty_directory(key_file: &Path) -> DirectoryFile {
    let key = keys::generate("tinh.1").expect("random bytes").expect("a good key id");
    keys::save(&key, key_file).expect("the key is saved");
    let authority = Authority {
        id: AgencyId::parse("tinh").expect("an id"),
        name: "Tỉnh thử nghiệm".to_owned(),
        keys: vec![PublicKey { id: key.id().to_owned(), public: key.public() }],
    };
    let rule = Rule { from: Pattern::Any, to: Pattern::Any, procedures: Vec::new() };
    DirectoryFile {
        epoch: 1,
        name: "Danh bạ thử nghiệm".to_owned(),
        authority,
        agencies: Vec::new(),
        procedures: Vec::new(),
        rules: vec![rule],
    }
}

/// An agency with a new key.
fn agency(id: &str, number: usize, key_file: &Path) -> AgencyEntry {
    let key = keys::generate(&format!("{id}.1")).expect("random bytes").expect("a good key id");
    keys::save(&key, key_file).expect("the key is saved");
    AgencyEntry {
        id: AgencyId::parse(id).expect("an agency id"),
        code: format!("H99.{}", number + 1),
        code_is_example: true,
        unit_code: None,
        name: format!("Cơ quan {id}"),
        level: "commune".to_owned(),
        parent: None,
        keys: vec![PublicKey { id: key.id().to_owned(), public: key.public() }],
    }
}

/// Small files and short pauses, so that tests are quick.
fn node_config(name: &str, folder: &Path, nats_url: &str, port: u16) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.node.name = name.to_owned();
    config.node.data_dir = folder.join("data");
    config.grpc.listen = ([127, 0, 0, 1], port).into();
    config.link.url = nats_url.to_owned();
    config.link.mailbox_bytes = 8 << 20;
    config.store.segment_bytes = 16 << 20;
    config.store.queue_cache_bytes = 8 << 20;
    config.delivery.resend_first_ms = 200;
    config.delivery.resend_max_ms = 2_000;
    config
}
