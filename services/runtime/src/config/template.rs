//! The default file, which is also the list of known keys.

/// What `--print-default-config` prints. A key without a default is there as a comment of the form `#key = example`.
pub(super) const TEXT: &str = include_str!("default.toml");

/// The keys of a section (`grpc`), of an entry of `node.agencies`, or the sections for the empty path.
pub(super) fn known_keys(table: &str) -> Vec<&'static str> {
    match table {
        "" => TEXT.lines().filter_map(section_of).collect(),
        "node.agencies" => vec!["id", "key_file"],
        section => TEXT
            .lines()
            .skip_while(|line| section_of(line) != Some(section))
            .skip(1)
            .take_while(|line| section_of(line).is_none())
            .filter_map(key_of)
            .collect(),
    }
}

/// The line that gives `section.key` its default or its example, as a hint for the operator.
pub(super) fn example(section: &str, key: &str) -> Option<&'static str> {
    TEXT.lines()
        .skip_while(|line| section_of(line) != Some(section))
        .find(|line| key_of(line) == Some(key))
        .map(|line| line.trim_start_matches('#'))
}

fn section_of(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.strip_prefix('#').unwrap_or(line).split_once(" = ")?;
    (!key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')).then_some(key)
}
