//! The one form of characters in texts that name, number or group something; and which characters no text may hold.
//! docs/adr/0029-characters.md

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::script::is_han;
use super::variants::without_radical;

/// A character that no text may hold, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// The character.
    pub character: char,
    /// `TEXT_DAMAGED` or `NAME_UNSEEN_CHARACTER`.
    pub reason: &'static str,
    what: &'static str,
}

impl Damage {
    /// What is wrong and what to do, in words. The text is not repeated.
    pub fn told(&self) -> String {
        format!(
            "U+{:04X} is {}: type the text anew in its place, or take it out",
            u32::from(self.character),
            self.what
        )
    }
}

/// The first character of a name, number or group that is damaged or turns what stands beside it.
pub fn damage(text: &str) -> Option<Damage> {
    text.chars().find_map(|c| damage_of(c, false))
}

/// The same for free prose, which may have several lines.
pub fn damage_of_prose(text: &str) -> Option<Damage> {
    text.chars().find_map(|c| damage_of(c, true))
}

fn damage_of(character: char, is_prose: bool) -> Option<Damage> {
    if is_plain(character) {
        return None;
    }
    let (reason, what) = match character {
        '\t' | '\n' | '\r' if is_prose => return None,
        // A database says so before all others.
        '\0' => return None,
        c if c.is_control() => ("NAME_UNSEEN_CHARACTER", "a line break or a control character"),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => (
            "NAME_UNSEEN_CHARACTER",
            "a character that turns the direction of a text",
        ),
        '\u{2028}' | '\u{2029}' => ("NAME_UNSEEN_CHARACTER", "a line break"),
        '\u{fffd}' => (
            "TEXT_DAMAGED",
            "what programs write for a character that they could not read",
        ),
        '\u{fff9}'..='\u{fffc}' => ("TEXT_DAMAGED", "the place of something that was no text"),
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}' => (
            "TEXT_DAMAGED",
            "a private character, which looks otherwise on each computer",
        ),
        '\u{e0000}'..='\u{e007f}' => ("TEXT_DAMAGED", "a tag character, which nobody sees"),
        c if u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}') => {
            ("TEXT_DAMAGED", "no character of any script")
        }
        _ => return None,
    };
    Some(Damage {
        character,
        reason,
        what,
    })
}

/// A text that names, numbers or groups something, in its one form: NFKC, but for the full-width punctuation of Chinese; radicals as
/// the characters that they stand for; nothing that cannot be seen; a hyphen for each short dash, `——` for each long one; `·` for each
/// middle dot; single spaces, none at the ends or beside a dot. Case, accents and punctuation stay.
pub fn canonical(text: &str) -> Cow<'_, str> {
    if is_canonical(text) {
        return Cow::Borrowed(text);
    }
    let seen: Vec<char> = text.chars().filter(|c| !is_invisible(*c)).collect();
    let mut composed: Vec<char> = Vec::with_capacity(seen.len());
    // Chinese punctuation stays full, and parts the text for NFKC.
    for part in with_apostrophes(seen).split_inclusive(|c| is_full(*c)) {
        let (last, rest) = match part.split_last() {
            Some((last, rest)) if is_full(*last) => (Some(*last), rest),
            _ => (None, part),
        };
        composed.extend(rest.iter().copied().nfkc().map(|c| dot(without_radical(c))));
        composed.extend(last);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = composed.get(at).copied() {
        let run = composed[at..].iter().take_while(|c| is_dash(**c)).count();
        if run > 0 {
            let long = run > 1 || c == '\u{2e3a}';
            let hyphens = composed[at..at + run].iter().all(|c| !is_long(*c));
            if long && !hyphens {
                out.push_str("——");
            } else {
                out.extend(std::iter::repeat_n('-', run));
            }
            at += run;
            continue;
        }
        if c.is_whitespace() || c == '\u{2800}' {
            if !out.is_empty() && !out.ends_with([' ', '·']) {
                out.push(' ');
            }
        } else if !is_invisible(c) {
            if c == '·' && out.ends_with(' ') {
                out.pop();
            }
            out.push(c);
        }
        at += 1;
    }
    out.truncate(out.trim_end().len());
    if out == text {
        return Cow::Borrowed(text);
    }
    Cow::Owned(out)
}

/// A text as columns, filters and statistics have it: [`canonical`], and punctuation of one width.
pub fn grouped(text: &str) -> Cow<'_, str> {
    let canonical = canonical(text);
    if !canonical.contains(is_full) {
        return canonical;
    }
    let narrow = |c: char| {
        if is_full(c) {
            char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
        } else {
            c
        }
    };
    // What is narrow now may be a blank beside nothing no more.
    Cow::Owned(canonical.chars().map(narrow).collect())
}

/// Whether a text is so already, as nearly all are. It may say no of one that is.
fn is_canonical(text: &str) -> bool {
    let mut before = ' ';
    for c in text.chars() {
        if !is_plain(c)
            || (c == ' ' && matches!(before, ' ' | '·'))
            || (c == '·' && before == ' ' && !text.starts_with(c))
        {
            return false;
        }
        before = c;
    }
    before != ' ' || text.is_empty()
}

/// Characters of which nearly all texts are made, and which stay as they are.
fn is_plain(c: char) -> bool {
    matches!(c,
        ' '..='~' | '·' | '\u{c0}'..='\u{131}' | '\u{4e00}'..='\u{9fff}' | '“' | '”' | '、' | '。' | '〈'..='】' | '〔' | '〕')
        || is_full(c)
}

/// The punctuation that Chinese has full-width and NFKC would make narrow.
fn is_full(c: char) -> bool {
    matches!(c, '！' | '（' | '）' | '，' | '：' | '；' | '？')
}

fn is_long(c: char) -> bool {
    matches!(
        c,
        '\u{2014}' | '\u{2015}' | '\u{2500}' | '\u{2501}' | '\u{2e3a}' | '\u{2e3b}'
    )
}

/// Dashes but for the hyphen of ASCII, which is one.
fn is_dash(c: char) -> bool {
    is_long(c)
        || matches!(
            c,
            '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{2d7}' | '\u{2043}' | '\u{207b}' | '\u{208b}'
        )
}

/// One sign for each middle dot, that of GB/T 15834.
fn dot(c: char) -> char {
    match c {
        '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22c5}' | '\u{30fb}' | '\u{16eb}' | '\u{2e31}' | '\u{2e33}'
        | '\u{a78f}' | '\u{1427}' | '\u{2e30}' | '\u{25cf}' | '\u{2981}' | '\u{26ab}' | '\u{387}' => '·',
        _ => c,
    }
}

/// Apostrophes between letters as `'`. NFKC would make a blank of some.
fn with_apostrophes(mut text: Vec<char>) -> Vec<char> {
    let is_letter = |c: Option<&char>| c.is_some_and(|c| c.is_alphabetic() && !is_han(*c));
    for at in 1..text.len() {
        let is_apostrophe = matches!(
            text[at],
            '‘' | '’' | '`' | '´' | 'ʻ' | 'ʼ' | 'ʹ' | '′' | '＇' | '\u{201b}'
        );
        if is_apostrophe && is_letter(text.get(at - 1)) && is_letter(text.get(at + 1)) {
            text[at] = '\'';
        }
    }
    text
}

/// What is neither seen nor divides words: soft hyphens, joiners, variation selectors, fillers.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_name_in_many_spellings_is_one() {
        for (written, right) in [
            ("青岛\u{200b}示例\u{2060}大\u{ad}学\u{fe0f}\u{e0100}", "青岛示例大学"),
            ("\u{feff}青岛示例大学\u{3000}", "青岛示例大学"),
            ("⻘岛⻓江", "青岛长江"),
            ("⼤学", "大学"),
            ("示例・阿克苏", "示例·阿克苏"),
            ("示例 • 阿克苏", "示例·阿克苏"),
            ("试２０２４–1‑01", "试2024-1-01"),
            ("试2024—1―01", "试2024-1-01"),
            ("东盟――合作", "东盟——合作"),
            ("东盟⸺合作", "东盟——合作"),
            ("示例（筹），甲", "示例（筹），甲"),
            ("ＡＢＣ［１］", "ABC[1]"),
            ("Xi’an  Jiaotong", "Xi'an Jiaotong"),
            ("Mu\u{308}ller", "Müller"),
            ("ㅤ", ""),
            ("\u{2800}", ""),
        ] {
            assert_eq!(canonical(written), right, "{written:?}");
        }
        assert_eq!(grouped("示例（筹）"), "示例(筹)");
        assert_eq!(grouped("示例(筹)"), "示例(筹)");
    }

    #[test]
    fn damaged_characters_are_told_by_their_code_point_and_prose_keeps_its_lines() {
        for c in [
            '\u{fffd}',
            '\u{fffe}',
            '\u{e863}',
            '\u{fffc}',
            '\u{fff9}',
            '\u{e0041}',
            '\u{2028}',
            '\u{61c}',
            '\u{200e}',
            '\u{fdd0}',
            '\u{1fffe}',
            '\u{10fffd}',
            '\u{202e}',
            '\u{85}',
        ] {
            let found = damage(&format!("示{c}例")).unwrap();
            assert_eq!(found.character, c);
            assert!(
                found.told().contains(&format!("U+{:04X}", u32::from(c))),
                "{}",
                found.told()
            );
            assert_eq!(damage_of_prose(&c.to_string()), Some(found));
        }
        assert_eq!(damage("甲\n乙").unwrap().reason, "NAME_UNSEEN_CHARACTER");
        assert_eq!(damage_of_prose("甲\n\t乙"), None);
        assert_eq!(damage("Müller 张三・\u{200b}ㅤ（筹）"), None);
    }

    proptest! {
        #[test]
        fn a_form_of_a_form_is_itself(text in "[ -~··、（），・•–—―\u{2011}⻓⻘⼤张三ａｂ１ 　\u{ad}\u{200b}e\u{301}´’ㅤ\u{2800}]{0,12}|\\PC{0,12}") {
            let once = canonical(&text).into_owned();
            prop_assert_eq!(canonical(&once), once.as_str());
            let group = grouped(&text).into_owned();
            prop_assert_eq!(grouped(&group), group.as_str());
            let of_canonical = grouped(&once).into_owned();
            prop_assert_eq!(of_canonical, group);
        }
    }
}
