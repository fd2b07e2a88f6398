//! Compiles the contract with protox: no `protoc` is needed.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["snapshot", "statement", "envelope", "ledger", "reason", "dossier_service", "node_service"]
        .map(|name| format!("lienthong/v1/{name}.proto"));
    println!("cargo:rerun-if-changed=lienthong");
    let set = protox::compile(files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("lienthong.v1.bin"), prost::Message::encode_to_vec(&set))?;
    tonic_prost_build::configure().bytes(".").compile_fds(set)?;
    Ok(())
}
