//! Meaning: what a value must satisfy beyond its type, alone and together with others.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use super::fault::{Fault, Text};
use super::{LinkKind, NodeConfig};

/// Agencies in one process: a province with its departments and branches has about 150.
const AGENCIES_MAX: usize = 256;
/// An id becomes part of NATS subjects and stream names and of metric labels.
const AGENCY_ID_CHARS_MAX: usize = 40;
/// What JetStream allows.
const MAILBOX_REPLICAS_MAX: u64 = 5;
/// Content of a dossier is at most 512 KiB, and the request around it needs room.
const MESSAGE_BYTES_MIN: u64 = 640 << 10;
/// Beyond this one caller could hold the memory of a small machine.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;

/// Judges the values that could be read; the others have their fault already and stand at their defaults.
pub(super) fn meaning(config: &NodeConfig, faults: &mut Vec<Fault>) {
    judge_with(&[node, grpc, link, telemetry, ranges, relations], config, faults);
}

/// Judges the files that the configuration names.
pub(super) fn files(config: &NodeConfig, faults: &mut Vec<Fault>) {
    judge_with(&[plain_files, secret_files], config, faults);
}

type Judge = fn(&NodeConfig, &mut Vec<Fault>);

fn judge_with(judges: &[Judge], config: &NodeConfig, faults: &mut Vec<Fault>) {
    let mut found = Vec::new();
    for judge in judges {
        judge(config, &mut found);
    }
    found.retain(|fault| faults.iter().all(|known| known.key != fault.key));
    faults.append(&mut found);
}

fn plain_files(config: &NodeConfig, faults: &mut Vec<Fault>) {
    let plain = [
        ("node.directory", Some(&config.node.directory)),
        ("grpc.tls_certificate", config.grpc.tls_certificate.as_ref()),
        ("grpc.tls_client_ca", config.grpc.tls_client_ca.as_ref()),
        ("link.tls_ca", config.link.tls_ca.as_ref()),
    ];
    for (key, path) in plain {
        if let Some(path) = path {
            readable(key, path, faults);
        }
    }
}

fn secret_files(config: &NodeConfig, faults: &mut Vec<Fault>) {
    let secret = [
        ("grpc.tls_key".to_owned(), config.grpc.tls_key.as_ref()),
        ("link.nkey_seed_file".to_owned(), config.link.nkey_seed_file.as_ref()),
        ("link.credentials_file".to_owned(), config.link.credentials_file.as_ref()),
    ];
    let keys = config.node.agencies.iter().enumerate();
    let keys = keys.map(|(i, agency)| (format!("node.agencies[{i}].key_file"), Some(&agency.key_file)));
    for (key, path) in secret.into_iter().chain(keys) {
        let Some(path) = path else { continue };
        if path.as_os_str().is_empty() || !readable(&key, path, faults) {
            continue;
        }
        // The mode could be read a moment ago; should it be gone now, opening it will say so.
        let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
        if mode & 0o077 != 0 {
            faults.push(Fault::new(
                key,
                Text::new(
                    format!("{} can be read by others (mode {:03o})", path.display(), mode & 0o777),
                    format!("người khác đọc được {} (quyền {:03o})", path.display(), mode & 0o777),
                ),
                Text::new("run chmod 600 on it", "hãy chạy chmod 600 cho tệp này"),
            ));
        }
    }
}

fn readable(key: &str, path: &Path, faults: &mut Vec<Fault>) -> bool {
    let opened = std::fs::File::open(path).and_then(|file| file.metadata());
    let wrong = match opened {
        Ok(meta) if meta.is_file() => return true,
        Ok(_) => "it is not a file".to_owned(),
        Err(error) => error.to_string(),
    };
    let path = path.display();
    faults.push(Fault::new(
        key,
        Text::new(format!("cannot read {path}: {wrong}"), format!("không đọc được {path}: {wrong}")),
        Text::new(
            "correct the path or the permissions (relative paths count from the configuration file)",
            "hãy sửa đường dẫn hoặc quyền (đường dẫn tương đối tính từ thư mục của tệp cấu hình)",
        ),
    ));
    false
}

fn node(config: &NodeConfig, faults: &mut Vec<Fault>) {
    let node = &config.node;
    let empty = [
        ("node.name", node.name.trim().is_empty()),
        ("node.data_dir", node.data_dir.as_os_str().is_empty()),
        ("node.directory", node.directory.as_os_str().is_empty()),
    ];
    for (key, is_empty) in empty {
        if is_empty {
            faults.push(missing(key));
        }
    }
    let anchor = node.anchor_dir();
    if !node.data_dir.as_os_str().is_empty() && anchor.is_none_or(|anchor| anchor.starts_with(&node.data_dir))
    {
        faults.push(Fault::new(
            "node.anchor",
            Text::new("the anchor is not outside the data folder", "mỏ neo không nằm ngoài thư mục dữ liệu"),
            Text::new(
                "give a folder elsewhere: a copy of the data folder must not bring the anchor with it",
                "hãy chọn thư mục khác: bản sao của thư mục dữ liệu không được mang theo mỏ neo",
            ),
        ));
    }
    if !(1..=AGENCIES_MAX).contains(&node.agencies.len()) {
        let count = node.agencies.len();
        faults.push(Fault::new(
            "node.agencies",
            Text::new(format!("{count} agencies are configured"), format!("đang khai báo {count} cơ quan")),
            Text::new(
                format!("give 1 to {AGENCIES_MAX}: agencies = [{{ id = \"...\", key_file = \"...\" }}]"),
                format!("hãy khai báo từ 1 đến {AGENCIES_MAX}: agencies = [{{ id = \"...\", key_file = \"...\" }}]"),
            ),
        ));
    }
    let mut seen = BTreeSet::new();
    for (i, agency) in node.agencies.iter().enumerate() {
        let key = format!("node.agencies[{i}].id");
        if !is_agency_id(&agency.id) {
            faults.push(Fault::new(
                key,
                Text::new("this is not an agency id", "đây không phải là mã định danh cơ quan"),
                Text::new(
                    "use the stable id of the directory: a-z, 0-9 and hyphens, at most 40, no dots",
                    "hãy dùng mã trong danh bạ: a-z, 0-9 và dấu gạch nối, tối đa 40 ký tự, không có dấu chấm",
                ),
            ));
        } else if !seen.insert(&agency.id) {
            faults.push(Fault::new(
                key,
                Text::new("this agency is listed twice", "cơ quan này được khai báo hai lần"),
                Text::new("keep one entry", "hãy giữ lại một dòng"),
            ));
        }
        if agency.key_file.as_os_str().is_empty() {
            faults.push(missing(&format!("node.agencies[{i}].key_file")));
        }
    }
}

fn is_agency_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=AGENCY_ID_CHARS_MAX).contains(&id.len()) && id.chars().all(allowed) && !id.starts_with('-')
}

fn grpc(config: &NodeConfig, faults: &mut Vec<Fault>) {
    let grpc = &config.grpc;
    if !grpc.listen.ip().is_loopback() && !grpc.has_tls() && !grpc.plaintext_ok {
        faults.push(Fault::new(
            "grpc.listen",
            Text::new(
                format!("{} is open to the network without TLS", grpc.listen),
                format!("{} mở ra mạng mà không có TLS", grpc.listen),
            ),
            Text::new(
                "set tls_certificate and tls_key, or listen on 127.0.0.1, or set plaintext_ok = true on a trusted network",
                "hãy đặt tls_certificate và tls_key, hoặc chỉ nghe ở 127.0.0.1, hoặc plaintext_ok = true trong mạng tin cậy",
            ),
        ));
    }
    let halves = [
        ("grpc.tls_key", grpc.tls_certificate.is_some() && grpc.tls_key.is_none()),
        ("grpc.tls_certificate", grpc.tls_key.is_some() && grpc.tls_certificate.is_none()),
        ("grpc.tls_certificate", grpc.tls_client_ca.is_some() && !grpc.has_tls() && grpc.tls_key.is_none()),
    ];
    faults.extend(halves.iter().filter(|(_, is_missing)| *is_missing).map(|(key, _)| missing(key)));
}

fn link(config: &NodeConfig, faults: &mut Vec<Fault>) {
    let link = &config.link;
    if link.nkey_seed_file.is_some() && link.credentials_file.is_some() {
        faults.push(Fault::new(
            "link.credentials_file",
            Text::new("nkey_seed_file is set as well", "nkey_seed_file cũng đang được đặt"),
            Text::new("keep one of the two", "hãy giữ một trong hai"),
        ));
    }
    if link.kind == LinkKind::Embedded {
        return;
    }
    let mut servers = link.url.split(',').map(str::trim);
    if !servers.all(|url| is_server(url, &["nats://", "tls://"])) {
        // The url is not repeated: it may hold a password.
        faults.push(Fault::new(
            "link.url",
            Text::new("this is not a list of NATS servers", "đây không phải là danh sách máy chủ NATS"),
            Text::new(
                "write nats://host:port or tls://host:port, separated by commas, without user and password (use nkey_seed_file or credentials_file)",
                "hãy viết nats://máy:cổng hoặc tls://máy:cổng, cách nhau bằng dấu phẩy, không kèm người dùng và mật khẩu (dùng nkey_seed_file hoặc credentials_file)",
            ),
        ));
    }
}

/// `scheme://host` with an optional port, and nothing else: no user, no path, no blank.
fn is_server(url: &str, schemes: &[&str]) -> bool {
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return false;
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.[]:".contains(c);
    !host.is_empty() && host.chars().all(allowed) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn telemetry(config: &NodeConfig, faults: &mut Vec<Fault>) {
    let telemetry = &config.telemetry;
    if !is_log_filter(&telemetry.log_level) {
        faults.push(Fault::new(
            "telemetry.log_level",
            Text::new("this is not a level or filter", "đây không phải là mức nhật ký"),
            Text::new(
                "write error, warn, info, debug, trace, or a filter such as info,lienthong_link=debug",
                "hãy viết error, warn, info, debug, trace, hoặc bộ lọc như info,lienthong_link=debug",
            ),
        ));
    }
    if let Some(endpoint) = &telemetry.otlp_endpoint
        && !is_server(endpoint.strip_suffix('/').unwrap_or(endpoint), &["http://"])
    {
        faults.push(Fault::new(
            "telemetry.otlp_endpoint",
            Text::new("this is not a plain gRPC endpoint", "đây không phải là địa chỉ gRPC không mã hoá"),
            Text::new(
                "write http://host:port of a collector near this node",
                "hãy viết http://máy:cổng của bộ thu thập đặt gần nút này",
            ),
        ));
    }
    if telemetry.service_name.trim().is_empty() {
        faults.push(missing("telemetry.service_name"));
    }
}

/// A bare word that is no level would be taken for the name of a module, and a typing error would silence the log.
fn is_log_filter(filter: &str) -> bool {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_directive = |word: &str| word.contains('=') || word.contains('[') || is_level(word);
    filter.split(',').all(|word| is_directive(word.trim())) && EnvFilter::try_new(filter).is_ok()
}

/// The reasons of the defaults are in `default.toml`; these are the outer edges at which the product was thought through.
fn ranges(config: &NodeConfig, faults: &mut Vec<Fault>) {
    const MIB: u64 = 1 << 20;
    const DAY_MS: u64 = 24 * 3600 * 1000;
    let (grpc, link, store) = (&config.grpc, &config.link, &config.store);
    let (delivery, limits) = (&config.delivery, &config.limits);
    let numbers = [
        ("grpc.max_message_bytes", grpc.max_message_bytes as u64, MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX),
        ("link.mailbox_bytes", link.mailbox_bytes, 2 * MIB, 64 * 1024 * MIB),
        ("link.per_sender_messages", link.per_sender_messages, 16, 1_000_000),
        ("link.mailbox_replicas", u64::from(link.mailbox_replicas), 1, MAILBOX_REPLICAS_MAX),
        ("store.segment_bytes", store.segment_bytes, 16 * MIB, 1024 * MIB),
        ("store.queue_cache_bytes", store.queue_cache_bytes, 8 * MIB, 16 * 1024 * MIB),
        ("store.snapshot_every_records", store.snapshot_every_records, 100, 10_000_000),
        ("store.disk_limit_bytes", store.disk_limit_bytes, 0, 1 << 50),
        ("store.disk_reserve_bytes", store.disk_reserve_bytes, MIB, 1024 * 1024 * MIB),
        ("delivery.resend_first_ms", delivery.resend_first_ms, 10, 60_000),
        ("delivery.resend_max_ms", delivery.resend_max_ms, 10, DAY_MS),
        ("delivery.window", u64::from(delivery.window), 1, 65_536),
        ("limits.commands_waiting", limits.commands_waiting as u64, 1, 65_536),
        ("limits.quarantine_per_peer", limits.quarantine_per_peer as u64, 1, 65_536),
        ("limits.inbox_per_peer", limits.inbox_per_peer as u64, 1, 10_000_000),
        ("limits.outbox_per_peer", limits.outbox_per_peer as u64, 1, 10_000_000),
        ("limits.drain_ms", limits.drain_ms, 100, 600_000),
        ("limits.watchers", limits.watchers as u64, 1, 65_536),
    ];
    for (key, value, min, max) in numbers {
        if !(min..=max).contains(&value) {
            faults.push(Fault::new(
                key,
                Text::new(format!("{value} is out of range"), format!("{value} nằm ngoài khoảng cho phép")),
                Text::new(format!("use {min} to {max}"), format!("hãy dùng từ {min} đến {max}")),
            ));
        }
    }
}

fn relations(config: &NodeConfig, faults: &mut Vec<Fault>) {
    let (delivery, link) = (&config.delivery, &config.link);
    let smaller = [
        (
            "delivery.resend_max_ms",
            delivery.resend_max_ms,
            "delivery.resend_first_ms",
            delivery.resend_first_ms,
        ),
        ("link.per_sender_messages", link.per_sender_messages, "delivery.window", u64::from(delivery.window)),
    ];
    for (key, value, other, least) in smaller {
        if value < least {
            faults.push(Fault::new(
                key,
                Text::new(
                    format!("{value} is less than {other} ({least})"),
                    format!("{value} nhỏ hơn {other} ({least})"),
                ),
                Text::new(format!("use at least {least}"), format!("hãy dùng ít nhất {least}")),
            ));
        }
    }
}

fn missing(key: &str) -> Fault {
    Fault::new(
        key,
        Text::new("the value is missing or empty", "thiếu giá trị"),
        Text::new("give one", "hãy bổ sung"),
    )
}
