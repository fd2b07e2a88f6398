//! Cuts a line of a play into words. A value may stand in double quotes, inside which `\"` and `\\` are escapes.

/// The words of a line, quotes taken off; the fault is a sentence.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        while letters.next_if(|c| *c == ' ').is_some() {}
        if letters.peek().is_none() {
            return Ok(words);
        }
        let mut word = String::new();
        while let Some(letter) = letters.next_if(|c| *c != ' ') {
            match letter {
                '"' => quoted(&mut letters, &mut word)?,
                _ => word.push(letter),
            }
        }
        words.push(word);
    }
}

fn quoted(letters: &mut std::iter::Peekable<std::str::Chars<'_>>, word: &mut String) -> Result<(), String> {
    loop {
        match letters.next() {
            None => return Err("a quote is not closed".to_owned()),
            Some('"') => break,
            Some('\\') => match letters.next() {
                Some(escaped @ ('"' | '\\')) => word.push(escaped),
                _ => return Err("inside quotes, \\ stands before \" or \\ only".to_owned()),
            },
            Some(letter) => word.push(letter),
        }
    }
    match letters.peek() {
        None | Some(' ') => Ok(()),
        Some(_) => Err("a closing quote must end its value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn values_may_be_quoted() {
        let line = r#"  a step="Thẩm định \"lại\" \\ 1"  b=c "" "#;
        assert_eq!(split(line).unwrap(), ["a", r#"step=Thẩm định "lại" \ 1"#, "b=c", ""]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn broken_quotes_are_faults() {
        for line in ["a=\"b", "a=\"b\"c", "a=\"b\\n\""] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
