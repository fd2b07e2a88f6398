//! Faults come all at once, the printed default is the default, the environment wins.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{AgencySection, LinkKind, LogFormat, NodeConfig, overlay, template};

const AGENCIES: &str = r#"[node]
agencies = [{ id = "xa-an-thanh-1", key_file = "a.key" }]
"#;

fn no_env() -> Vec<(String, String)> {
    Vec::new()
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The keys of all faults, in order.
fn fault_keys(text: &str, env: Vec<(String, String)>) -> Vec<String> {
    match NodeConfig::parse(text, env) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.list().iter().map(|fault| fault.key.clone()).collect(),
    }
}

#[test]
fn the_printed_default_is_the_default() {
    let read = overlay::read(&NodeConfig::default_toml(), no_env());
    assert_eq!((read.config, read.faults), (NodeConfig::default(), Vec::new()));
    assert_eq!(fault_keys(&NodeConfig::default_toml(), no_env()), ["node.agencies"], "all it lacks to run");
    // Complete: every key stands there with its value, not only those that differ.
    let printed: toml::Table = NodeConfig::default_toml().parse().expect("toml");
    assert_eq!(printed, toml::Table::try_from(NodeConfig::default()).expect("serialise"));
}

#[test]
fn the_printed_default_names_every_key() {
    let uncommented: String = NodeConfig::default_toml()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let overlay::Read { config: full, faults, .. } = overlay::read(&uncommented, no_env());
    assert_eq!(faults, Vec::new(), "the examples are readable");
    let NodeConfig { grpc, link, telemetry, .. } = &full;
    assert!(grpc.tls_certificate.is_some() && grpc.tls_key.is_some() && grpc.tls_client_ca.is_some());
    assert!(link.nkey_seed_file.is_some() && link.credentials_file.is_some() && link.tls_ca.is_some());
    assert!(telemetry.otlp_endpoint.is_some());
    for (section, keys) in toml::Table::try_from(full).expect("serialise") {
        let keys: BTreeSet<String> = keys.as_table().expect("a section").keys().cloned().collect();
        let known: BTreeSet<String> = template::known_keys(&section).into_iter().map(str::to_owned).collect();
        assert_eq!(keys, known, "{section}");
    }
}

#[test]
fn every_fault_is_reported_at_once() {
    let text = r#"
[node]
name = 7
nmae = "typo"
agencies = [
  { id = "xa-an-thanh-1", key_file = "a.key" },
  { id = "H51.16", key_file = 3, colour = "red" },
  { id = "xa-an-thanh-1", key_file = "b.key" },
  "so-tnmt",
]
[grpc]
listen = "0.0.0.0:7443"
max_message_bytes = 10
[link]
kind = "pigeon"
url = "nats://user:secret@host:4222"
[delivery]
window = "many"
resend_first_ms = 5000
resend_max_ms = 1000
[telemetry]
log_level = "lienthong=loud"
otlp_endpoint = "https://collector:4317"
[postbox]
size = 1
"#;
    let env = env(&[
        ("LIENTHONG_STORE__SEGMENT_BYTES", "-4"),
        ("LIENTHONG_LIMITS__WATCHER", "3"),
        ("HOME", "/root"),
    ]);
    let faults = NodeConfig::parse(text, env).expect_err("faulty");
    let keys: BTreeSet<&str> = faults.list().iter().map(|fault| fault.key.as_str()).collect();
    let expected = BTreeSet::from([
        "node.name",
        "node.nmae",
        "node.agencies[1].id",
        "node.agencies[1].key_file",
        "node.agencies[1].colour",
        "node.agencies[2].id",
        "node.agencies[3]",
        "grpc.listen",
        "grpc.max_message_bytes",
        "link.kind",
        "link.url",
        "delivery.window",
        "delivery.resend_max_ms",
        "telemetry.log_level",
        "telemetry.otlp_endpoint",
        "postbox",
        "store.segment_bytes",
        "limits.watcher",
    ]);
    assert_eq!(keys, expected, "\n{faults}");
    assert_eq!(faults.list().len(), expected.len(), "one fault a key\n{faults}");
    let listing = faults.to_string();
    assert!(listing.contains("store.segment_bytes (from LIENTHONG_STORE__SEGMENT_BYTES)"), "{listing}");
    assert!(listing.contains("there is no such key; use one of: name, data_dir, anchor"), "{listing}");
    assert!(listing.contains("không có khoá này; hãy dùng một trong các khoá"), "{listing}");
    assert!(listing.contains("write it like `window = 512`"), "{listing}");
    assert!(!listing.contains("secret"), "a password is not repeated");
}

#[test]
fn a_fault_of_syntax_names_the_line_and_the_environment_is_still_judged() {
    let text = format!("{AGENCIES}\nname = \n");
    let keys = fault_keys(&text, env(&[("LIENTHONG_GRPC__LISTEN", "nowhere")]));
    assert_eq!(keys, ["line 4", "grpc.listen"], "and nothing is said of keys that were not seen");
}

#[test]
fn the_environment_wins_and_is_typed_by_the_key() {
    let env = env(&[
        ("LIENTHONG_NODE__NAME", "2024"),
        ("LIENTHONG_NODE__AGENCIES", r#"[{ id = "so-tnmt", key_file = "s.key" }]"#),
        ("LIENTHONG_GRPC__LISTEN", "[::1]:9000"),
        ("LIENTHONG_GRPC__PLAINTEXT_OK", "true"),
        ("LIENTHONG_LINK__KIND", "embedded"),
        ("LIENTHONG_DELIVERY__WINDOW", "64"),
        ("LIENTHONG_TELEMETRY__LOG_FORMAT", "\"json\""),
        ("LIENTHONG_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4317"),
        ("LIENTHONG_CONFIG", "/etc/x"),
    ]);
    let config = NodeConfig::parse(&format!("{AGENCIES}\n[delivery]\nwindow = 8\n"), env).expect("good");
    assert_eq!(config.node.name, "2024", "digits are a name where a name is wanted");
    assert_eq!(config.node.agencies, [AgencySection { id: "so-tnmt".to_owned(), key_file: "s.key".into() }]);
    assert_eq!(config.grpc.listen.port(), 9000);
    assert!(config.grpc.plaintext_ok);
    assert_eq!(config.link.kind, LinkKind::Embedded);
    assert_eq!(config.delivery.window, 64);
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
    assert_eq!(config.telemetry.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4317"));
}

#[test]
fn a_misspelt_log_level_is_not_taken_for_a_module() {
    let level = |level: &str| fault_keys(AGENCIES, env(&[("LIENTHONG_TELEMETRY__LOG_LEVEL", level)]));
    for good in ["info", "WARN", "off", "info,lienthong_link=debug", "lienthong_node[commit]=trace"] {
        assert_eq!(level(good), [""; 0], "{good}");
    }
    for bad in ["", "inof", "info,", "info, warn=loud", "info,lienthong_link", "a=b=c"] {
        assert_eq!(level(bad), ["telemetry.log_level"], "{bad}");
    }
}

#[test]
fn the_anchor_lies_outside_the_data_folder() {
    let node = |lines: &str| fault_keys(&format!("{AGENCIES}{lines}"), no_env());
    let default = NodeConfig::default().node.anchor_dir();
    assert_eq!(default, Some("/var/lib/lienthong.anchor".into()));
    assert_eq!(node("data_dir = \"/a/data\"\nanchor = \"/a/data.anchor\"\n"), [""; 0]);
    assert_eq!(node("data_dir = \"/a/data\"\nanchor = \"/a/data/anchor\"\n"), ["node.anchor"]);
    assert_eq!(node("data_dir = \"..\"\n"), ["node.anchor"], "no name to add to");
}

#[test]
fn beyond_loopback_needs_tls_or_a_word() {
    let open = format!("{AGENCIES}[grpc]\nlisten = \"0.0.0.0:7443\"\n");
    assert_eq!(fault_keys(&open, no_env()), ["grpc.listen"]);
    assert_eq!(fault_keys(&format!("{open}plaintext_ok = true"), no_env()), [""; 0]);
    let tls = format!("{open}tls_certificate = \"c.pem\"\n");
    assert_eq!(fault_keys(&tls, no_env()), ["grpc.listen", "grpc.tls_key"]);
    assert_eq!(fault_keys(&format!("{tls}tls_key = \"k.pem\""), no_env()), [""; 0]);
}

#[test]
fn load_looks_at_the_files_and_counts_paths_from_the_file() {
    let dir = tempfile::tempdir().expect("folder");
    let file = dir.path().join("node.toml");
    let key = dir.path().join("a.key");
    fs::write(&file, format!("{AGENCIES}directory = \"directory.toml\"\ndata_dir = \"data\"\n"))
        .expect("write");
    fs::write(&key, "seed").expect("write");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("chmod");

    let faults = NodeConfig::load(&file, no_env()).expect_err("two faults");
    let keys: Vec<_> = faults.list().iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["node.directory", "node.agencies[0].key_file"], "{faults}");

    fs::write(dir.path().join("directory.toml"), "").expect("write");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("chmod");
    let config = NodeConfig::load(&file, no_env()).expect("good");
    assert_eq!(config.node.data_dir, dir.path().join("data"));
    assert_eq!(config.node.agencies[0].key_file, key);

    fs::write(&file, "[node").expect("write");
    let faults = NodeConfig::load(&file, no_env()).expect_err("no TOML");
    assert_eq!(faults.list().len(), 1, "files that were not read about are not missed: {faults}");

    let faults = NodeConfig::load(&dir.path().join("none.toml"), no_env()).expect_err("no file");
    assert!(faults.to_string().contains("--print-default-config"), "{faults}");
}
