//! The data folder of a `dev` province. It explains itself, and holds everything that the province needs to start again.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use lienthong_runtime::config::{AgencySection, GrpcSection, LinkSection, NodeConfig, NodeSection};
use lienthong_store::lock::DataLock;
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::keys::{self, SigningKey};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use crate::time;

/// The province that is built in.
const PROVINCE: &str = include_str!("../../../../deploy/example/soc-trang-2024.toml");
const DIRECTORY: &str = "directory.toml";
const PLAYED: &str = "played.txt";
const README: &str = "\
Thư mục dữ liệu của `lienthong dev` / data folder of `lienthong dev`

directory.toml  danh bạ: cơ quan, khóa công khai, ai được giao cho ai / agencies, public keys, who may hand to whom
keys/           khóa riêng của từng cơ quan, chỉ chủ sở hữu đọc được / private keys, readable by their owner only
node.toml       cấu hình của nút, viết lại mỗi lần chạy / the node's configuration, written anew at each start
node/           sổ cái và hàng đợi / the ledger, which is the truth, and the queues, which can be rebuilt
nats/           kho của nats-server; mất cũng không sao / the store of nats-server: losing it loses nothing
evidence/       tệp chứng cứ đã xuất / exported evidence, for `lienthong trail verify`
played.txt      khi nào đã diễn / when a play was played here

Bỏ cả thư mục để làm lại từ đầu / remove the whole folder to begin anew.
";

/// The folder, locked.
pub(super) struct Folder {
    path: PathBuf,
    agencies: Vec<AgencySection>,
    is_new: bool,
    _lock: DataLock,
}

impl Folder {
    /// Opens the folder; a new one gets its province, with keys for every agency.
    pub(super) fn open(path: &Path, province: Option<&Path>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("find {}", path.display()))?;
        let lock = DataLock::acquire(&path, "lienthong dev")?;
        let file = path.join(DIRECTORY);
        let is_new = !file.exists();
        anyhow::ensure!(
            is_new || province.is_none(),
            "{} has a province already: leave --directory away, or name another folder with --data",
            path.display()
        );
        if is_new {
            let text = match province {
                Some(source) => {
                    std::fs::read_to_string(source).with_context(|| format!("read {}", source.display()))?
                }
                None => PROVINCE.to_owned(),
            };
            settle(&path, &text)?;
        }
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let directory = DirectoryFile::parse(&text).with_context(|| file.display().to_string())?;
        let section = |id: &str| AgencySection { id: id.to_owned(), key_file: key_file(&path, id) };
        let agencies = directory.agencies.iter().map(|agency| section(agency.id.as_str())).collect();
        Ok(Self { path, agencies, is_new, _lock: lock })
    }

    /// Says where it is and whether it is new.
    pub(super) fn tell(&self) {
        let word = if self.is_new { "mới / new" } else { "đã có / found" };
        println!(
            "Thư mục / folder: {} ({word}); {} cơ quan / agencies",
            self.path.display(),
            self.agencies.len()
        );
    }

    /// The directory, with keys.
    pub(super) fn directory(&self) -> PathBuf {
        self.path.join(DIRECTORY)
    }

    /// The node's data folder.
    pub(super) fn node(&self) -> PathBuf {
        self.path.join("node")
    }

    /// What nats-server keeps.
    pub(super) fn nats(&self) -> PathBuf {
        self.path.join("nats")
    }

    /// A place for the evidence of a dossier; what was there is removed.
    pub(super) fn evidence(&self, code: &str) -> anyhow::Result<PathBuf> {
        let folder = self.path.join("evidence");
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let file = folder.join(format!("{code}.evidence"));
        if file.exists() {
            std::fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
        }
        Ok(file)
    }

    /// Whether a play was begun here. One that broke off left its dossiers, and they are not made twice.
    pub(super) fn was_played(&self) -> bool {
        self.path.join(PLAYED).exists()
    }

    /// Notes that a play was begun or finished.
    pub(super) fn mark_play(&self, what: &str) -> anyhow::Result<()> {
        let file = self.path.join(PLAYED);
        let mut open = std::fs::OpenOptions::new().create(true).append(true).open(&file);
        let line = format!("{} {what}\n", time::short(time::now_ms()));
        open.as_mut()
            .map_err(|error| std::io::Error::new(error.kind(), error.to_string()))
            .and_then(|file| file.write_all(line.as_bytes()))
            .with_context(|| format!("write {}", file.display()))
    }

    /// Writes the node's configuration and reads it back, so that the environment may change it as for any node.
    pub(super) fn configure(&self, listen: SocketAddr, link: LinkSection) -> anyhow::Result<NodeConfig> {
        let mut config = NodeConfig {
            node: NodeSection {
                name: "dev".to_owned(),
                data_dir: self.node(),
                anchor: None,
                directory: self.directory(),
                agencies: self.agencies.clone(),
            },
            grpc: GrpcSection { listen, ..GrpcSection::default() },
            link,
            ..NodeConfig::default()
        };
        // The lines on the screen are those of the morning.
        config.telemetry.log_level = "warn".to_owned();
        let file = self.path.join("node.toml");
        let head = "# Written by `lienthong dev` at each start; `lienthong node --print-default-config` explains it.\n";
        let text = toml_edit::ser::to_string_pretty(&config).context("write the node's configuration")?;
        write(&file, &format!("{head}{text}"))?;
        Ok(NodeConfig::load(&file, std::env::vars())?)
    }
}

/// Gives a new folder its province. The directory comes last: what broke off before is taken up again.
fn settle(path: &Path, text: &str) -> anyhow::Result<()> {
    write(&path.join("README.txt"), README)?;
    let folder = path.join("keys");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let given = DirectoryFile::parse(text).context("read the province")?;
    let mut document: DocumentMut = text.parse().context("read the province")?;
    if let Some(authority) = document.get_mut("authority").and_then(Item::as_table_mut) {
        add_key(authority, &key(path, given.authority.id.as_str())?);
    }
    let agencies = document.get_mut("agency").and_then(Item::as_array_of_tables_mut);
    let agencies = agencies.context("the province has no [[agency]]")?;
    for (entry, agency) in agencies.iter_mut().zip(&given.agencies) {
        add_key(entry, &key(path, agency.id.as_str())?);
    }
    let text = document.to_string();
    DirectoryFile::parse(&text).context("read the province with its keys")?;
    write(&path.join(DIRECTORY), &text)
}

fn key_file(path: &Path, id: &str) -> PathBuf {
    path.join("keys").join(format!("{id}.key"))
}

/// The key of an agency, made when it is not there.
fn key(path: &Path, id: &str) -> anyhow::Result<SigningKey> {
    let file = key_file(path, id);
    if file.exists() {
        return Ok(keys::load(&file)?);
    }
    let key = keys::generate(&format!("{id}.1"))?.with_context(|| format!("{id} gives no key id"))?;
    keys::save(&key, &file)?;
    Ok(key)
}

fn add_key(entry: &mut Table, key: &SigningKey) {
    let mut row = InlineTable::new();
    row.insert("id", key.id().into());
    row.insert("public", hex::encode(key.public()).into());
    let list = entry.entry("keys").or_insert_with(|| Array::new().into());
    if let Some(list) = list.as_array_mut() {
        list.push(Value::InlineTable(row));
    }
}

/// Writes a whole file or leaves the old one.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_folder_gets_a_province_with_keys_and_keeps_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("dev");
        let folder = Folder::open(&path, None).unwrap();
        assert!(folder.is_new && !folder.was_played());
        let text = std::fs::read_to_string(folder.directory()).unwrap();
        let directory = DirectoryFile::parse(&text).unwrap();
        assert!(directory.agencies.iter().all(|agency| agency.keys.len() == 1));
        assert!(text.starts_with("# The example province"), "its remarks stay");
        let secret = std::fs::metadata(key_file(&folder.path, "so-tu-phap")).unwrap();
        assert_eq!(secret.permissions().mode() & 0o777, 0o600);
        folder.mark_play("begun").unwrap();
        drop(folder);

        let again = Folder::open(&path, None).unwrap();
        assert!(!again.is_new && again.was_played());
        assert_eq!(std::fs::read_to_string(again.directory()).unwrap(), text);
        drop(again);
        assert!(Folder::open(&path, Some(Path::new("other.toml"))).is_err());
    }

    #[test]
    fn a_start_that_broke_off_is_taken_up_again() {
        let temp = tempfile::tempdir().unwrap();
        let first = Folder::open(temp.path(), None).unwrap();
        let made = std::fs::read_to_string(first.directory()).unwrap();
        std::fs::remove_file(first.directory()).unwrap();
        drop(first);
        let second = Folder::open(temp.path(), None).unwrap();
        assert_eq!(std::fs::read_to_string(second.directory()).unwrap(), made);
    }

    #[test]
    fn the_configuration_is_sound() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(temp.path(), None).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let link =
            LinkSection { kind: lienthong_runtime::config::LinkKind::Embedded, ..LinkSection::default() };
        let config = folder.configure(listen, link).unwrap();
        assert_eq!(config.node.agencies.len(), 17);
        assert_eq!(config.node.data_dir, folder.node());
    }

    #[test]
    fn a_second_process_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let _first = Folder::open(temp.path(), None).unwrap();
        assert!(Folder::open(temp.path(), None).is_err());
    }
}
