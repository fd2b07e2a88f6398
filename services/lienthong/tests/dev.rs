//! `lienthong dev` from end to end, as a person would run it: a morning is played, proved, kept and checked.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use tokio::process::Command;

/// A morning is some 270 acts, each durable at two agencies before the next; on a loaded disk that takes a while.
const BOUND: Duration = Duration::from_secs(180);

async fn lienthong(args: &[&str]) -> Output {
    let child = Command::new(env!("CARGO_BIN_EXE_lienthong")).args(args).kill_on_drop(true).output();
    tokio::time::timeout(BOUND, child).await.expect("it ends in time").expect("it runs")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(both).expect("all output is UTF-8")
}

#[track_caller]
fn ended(output: &Output, code: i32, parts: &[&str]) -> String {
    let text = text(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    parts.iter().for_each(|part| assert!(text.contains(part), "{part} is not in:\n{text}"));
    text
}

fn path(base: &Path, name: &str) -> String {
    base.join(name).display().to_string()
}

async fn dev(data: &str, more: &[&str]) -> Output {
    let fixed = ["dev", "--exit", "--listen", "127.0.0.1:0", "--data", data];
    lienthong(&[&fixed[..], more].concat()).await
}

#[tokio::test]
async fn a_morning_is_played_proved_kept_and_checked() {
    let temp = tempfile::tempdir().unwrap();
    let data = path(temp.path(), "dev");
    let played = dev(&data, &["--link", "embedded"]).await;
    let parts = ["PHIẾU KIỂM SOÁT QUÁ TRÌNH", "SOUND", "every dossier is where it is expected", "try next"];
    ended(&played, 0, &parts);

    let again = dev(&data, &["--link", "embedded"]).await;
    ended(&again, 0, &["played already", "PHIẾU KIỂM SOÁT QUÁ TRÌNH", "SOUND"]);

    let (node, directory) = (path(temp.path(), "dev/node"), path(temp.path(), "dev/directory.toml"));
    let verified = lienthong(&["ledger", "verify", &node, "--directory", &directory]).await;
    ended(&verified, 0, &["signatures checked", "SOUND"]);
    ended(&lienthong(&["fsck", &node]).await, 0, &["SOUND"]);

    let file = std::fs::read_dir(temp.path().join("dev/evidence")).unwrap().next().unwrap().unwrap().path();
    let shown = file.display().to_string();
    let sound = lienthong(&["trail", "verify", &shown, "--directory", &directory]).await;
    ended(&sound, 0, &["SOUND", "custodian now"]);
    let mut bytes = std::fs::read(&file).unwrap();
    // The end is the signature of the checkpoint; the directory in the file is not looked at beside one's own.
    let signature = bytes.len() - 8;
    bytes[signature] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    ended(&lienthong(&["trail", "verify", &shown, "--directory", &directory]).await, 1, &["FAULT"]);
}

#[tokio::test]
async fn a_wrong_play_is_refused_before_anything_runs() {
    let temp = tempfile::tempdir().unwrap();
    let file = path(temp.path(), "wrong.play");
    std::fs::write(&file, "officer a 1 \"Lan\"\n08:00 a dance d\n").unwrap();
    let data = path(temp.path(), "dev");
    ended(&dev(&data, &["--link", "embedded", "--play", &file]).await, 1, &["line 2", "no verb 'dance'"]);
    assert!(!Path::new(&data).exists(), "nothing was made");
}
