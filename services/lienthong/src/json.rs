//! Messages as JSON, by the canonical mapping of protobuf, so that scripts see the gRPC contract and nothing else.

use anyhow::Context;
use lienthong_proto::DESCRIPTORS;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

/// One message as JSON. `name` is its name in package `lienthong.v1`.
pub(crate) fn value(name: &str, message: &impl Message) -> anyhow::Result<Value> {
    let pool = DescriptorPool::decode(DESCRIPTORS).context("read the descriptors of the contract")?;
    let kind = pool
        .get_message_by_name(&format!("lienthong.v1.{name}"))
        .with_context(|| format!("find message {name} in the contract"))?;
    let dynamic = DynamicMessage::decode(kind, message.encode_to_vec().as_slice())
        .with_context(|| format!("read {name}"))?;
    let options = SerializeOptions::new().stringify_64_bit_integers(false).use_proto_field_name(true);
    dynamic.serialize_with_options(serde_json::value::Serializer, &options).context("write JSON")
}

/// Prints one message, indented.
pub(crate) fn print(name: &str, message: &impl Message) -> anyhow::Result<()> {
    println!("{:#}", value(name, message)?);
    Ok(())
}

/// Prints one message on one line, for streams.
pub(crate) fn print_line(name: &str, message: &impl Message) -> anyhow::Result<()> {
    println!("{}", value(name, message)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_proto::v1::{Done, Phase};

    #[test]
    fn enums_are_words_and_numbers_are_numbers() {
        let done = Done {
            dossier_code: "H51.40-240115-0001".into(),
            ledger_index: 7,
            phase: Phase::Held as i32,
            ..Done::default()
        };
        let value = value("Done", &done).unwrap();
        assert_eq!(value["ledger_index"], 7);
        assert_eq!(value["phase"], "PHASE_HELD");
        assert_eq!(value["dossier_code"], "H51.40-240115-0001");
    }
}
