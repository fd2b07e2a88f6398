//! Clients of others: one made in Python from the .proto files alone, and tools that know the node by reflection only.
//! Their parts are fetched by deploy/fetch-tools.sh; without them a test is skipped loudly, and fails where `CI=true`.

use lienthong_link::server::NatsServer;
use lienthong_tests::{Province, broker, skip_or_fail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use tokio::process::Command;

const SERVICES: [&str; 5] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "lienthong.v1.DossierService",
    "lienthong.v1.NodeService",
];

/// No program here runs longer, on a loaded machine either.
const RUN: Duration = Duration::from_secs(120);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

/// A fetched part; `None`, loudly, where it is missing.
fn part(path: &str) -> Option<PathBuf> {
    let part = root().join(".tools").join(path);
    if part.exists() {
        return Some(part);
    }
    skip_or_fail(&format!("{} is missing: run deploy/fetch-tools.sh", part.display()));
    None
}

/// Python with gRPC's tools, and these modules.
fn python(tools: &Path, modules: &Path) -> Command {
    let mut python = Command::new("python3");
    let path = std::env::join_paths([modules, tools]).expect("a search path");
    python.env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root());
    python
}

/// Runs to a good end and gives what was printed.
async fn run(command: &mut Command) -> String {
    let done = tokio::time::timeout(RUN, command.kill_on_drop(true).output()).await;
    let Output { status, stdout, stderr } = done.expect("it ends in time").expect("it starts");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?} ended with {status}\n{out}\n{err}");
    out.into_owned()
}

/// The modules that `grpc_tools.protoc` makes of the contract.
async fn generate(tools: &Path, into: &Path) {
    let contract = root().join("proto");
    let mut protoc = python(tools, into);
    protoc.args(["-m", "grpc_tools.protoc", "-I"]).arg(&contract);
    protoc
        .arg(format!("--python_out={}", into.display()))
        .arg(format!("--grpc_python_out={}", into.display()));
    let files = std::fs::read_dir(contract.join("lienthong/v1")).expect("the contract");
    protoc.args(files.map(|file| file.expect("a file").path()));
    run(&mut protoc).await;
}

/// Two nodes, each a process of its own.
async fn two_nodes() -> Option<(NatsServer, Province, tempfile::TempDir)> {
    let dir = tempfile::tempdir().expect("a folder");
    let broker = broker(dir.path()).await?;
    let mut province = Province::lay_out(&broker.url(), &[&["xa"], &["huyen"]]);
    province.start().await;
    Some((broker, province, dir))
}

fn address(province: &mut Province, agency: &str) -> String {
    province.node(agency).url().trim_start_matches("http://").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_made_from_the_contract_hands_a_dossier_there_and_back() {
    let Some(tools) = part("py") else { return };
    let Some((_broker, mut province, dir)) = two_nodes().await else { return };
    generate(&tools, dir.path()).await;
    let mut client = python(&tools, dir.path());
    client.arg("tests/foreign/hand_off.py");
    for agency in ["xa", "huyen"] {
        client.arg(address(&mut province, agency)).arg(agency);
    }
    let printed = run(&mut client).await;
    let entries: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let spine: Vec<(&str, &str)> = entries
        .iter()
        .filter(|e| e["spine"] == true)
        .map(|e| (e["kind"].as_str().expect("a kind"), e["custodian"].as_str().expect("a custodian")))
        .collect();
    let expected = [
        ("intake", "xa"),
        ("offer", "xa"),
        ("accept", "huyen"),
        ("completed", "huyen"),
        ("offer", "huyen"),
        ("accept", "xa"),
        ("returned", "xa"),
    ];
    assert_eq!(spine, expected);
    // The same trail as a client in this language sees.
    let id = entries[0]["id"].as_str().expect("the id of the intake");
    let trail = province.desk("xa").trail(id).await.expect("the trail");
    let seen: Vec<&str> = trail.entries.iter().map(|e| &*e.statement_id).collect();
    assert_eq!(seen, entries.iter().map(|e| e["id"].as_str().unwrap_or_default()).collect::<Vec<_>>());
    province.stop().await;
}

fn has_status_of_both(answer: &str) {
    let status: Value = serde_json::from_str(answer).unwrap_or_else(|e| panic!("{e} in {answer}"));
    assert_eq!(status["ready"], true, "{answer}");
    assert_eq!(status["agencies"][0]["agency"], "xa", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_list_and_call_through_reflection() {
    let Some((_broker, mut province, dir)) = two_nodes().await else { return };
    let (address, url) = (address(&mut province, "xa"), province.node("xa").url());
    if let Some(buf) = part("bin/buf") {
        let curl = |what: &[&str]| {
            let mut command = Command::new(&buf);
            command.env("BUF_CACHE_DIR", dir.path()).current_dir(dir.path());
            command.args(["curl", "--protocol", "grpc", "--http2-prior-knowledge"]).args(what);
            command
        };
        let listed = run(&mut curl(&["--list-services", &url])).await;
        assert!(SERVICES[3..].iter().all(|s| listed.contains(s)), "{listed}");
        let method = format!("{url}/lienthong.v1.NodeService/GetStatus");
        has_status_of_both(
            &run(&mut curl(&["--reflect-protocol", "grpc-v1", "--data", "{}", &method])).await,
        );
    }
    // Older clients speak v1alpha alone.
    if let Some(tools) = part("py") {
        let printed = run(python(&tools, dir.path()).args(["tests/foreign/reflect.py", &address])).await;
        let (listed, status) = printed.split_at(printed.find('{').expect("the status"));
        assert_eq!(listed.lines().collect::<Vec<_>>(), SERVICES);
        has_status_of_both(status);
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64"))
        && let Some(grpcurl) = part("bin/grpcurl")
    {
        let listed = run(Command::new(&grpcurl).args(["-plaintext", &address, "list"])).await;
        assert_eq!(listed.lines().collect::<Vec<_>>(), SERVICES);
        let method = "lienthong.v1.NodeService/GetStatus";
        has_status_of_both(
            &run(Command::new(&grpcurl).args(["-plaintext", "-d", "{}", &address, method])).await,
        );
    }
    province.stop().await;
}

#[tokio::test]
async fn the_contract_is_clean_and_breaks_nobody() {
    let Some(buf) = part("bin/buf") else { return };
    let cache = tempfile::tempdir().expect("a folder");
    let contract = root().join("proto");
    let of = |words: &[&str]| {
        let mut command = Command::new(&buf);
        command.env("BUF_CACHE_DIR", cache.path()).current_dir(&contract).args(words);
        command
    };
    run(&mut of(&["lint"])).await;
    // Made with `buf build proto --exclude-source-info -o proto/buf.image.binpb` at each release.
    run(&mut of(&["breaking", "--against", "buf.image.binpb"])).await;
}
