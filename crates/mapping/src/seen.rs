//! Texts of a file as messages show them: as people see them, with a sign for what cannot be seen and nothing that commands a terminal.

use std::borrow::Cow;

/// A text for a message: as it is, but each character that nobody sees or that a terminal obeys as `<U+200B>`.
pub fn seen(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) {
            shown.push_str(&format!("<U+{:04X}>", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_stands_as_it_is_and_what_is_not_is_named() {
        assert_eq!(seen("孙\u{3000}示六 \"甲\" \\ é"), "孙\u{3000}示六 \"甲\" \\ é");
        assert_eq!(seen("孙\u{200b}示六"), "孙<U+200B>示六");
        assert_eq!(seen("\u{1b}[31m红\n"), "<U+001B>[31m红<U+000A>");
    }
}
