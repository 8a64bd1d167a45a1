//! The form of a text in which letter case, accents, width and punctuation make no difference.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

use super::clean::grouped;
use super::script::is_han;
use super::variants::{simplified, without_radical};

/// A text as search compares it: NFKC, lower case, Latin letters without accents and ligatures, each run of
/// punctuation and white space as one space, none at the ends; traditional characters as simplified ones. Other scripts stay.
pub fn fold(text: &str) -> String {
    folded(text, false)
}

/// A name as it is compared: in its one form ([`super::canonical`]), punctuation of one width, lower case. Punctuation and accents tell
/// names apart.
pub fn same_name(one: &str, other: &str) -> bool {
    spelled(one) == spelled(other)
}

/// The form in which [`same_name`] compares.
pub fn spelled(name: &str) -> String {
    grouped(name).chars().flat_map(char::to_lowercase).collect()
}

/// Like [`fold`], but an apostrophe stays as `'`, so that a word can be found with and without it (`xi'an`).
pub(super) fn fold_with_apostrophes(text: &str) -> String {
    folded(text, true)
}

/// What the last character was: marks are dropped after Latin and Han, and belong to the letter in other scripts.
#[derive(PartialEq)]
enum Last {
    Gap,
    Bare,
    Other,
}

fn folded(text: &str, apostrophes: bool) -> String {
    // Nearly all names are of such characters, which NFKC leaves as they are.
    if text
        .chars()
        .all(|c| c.is_ascii() || matches!(c, '\u{4e00}'..='\u{9fff}'))
    {
        return fold_each(text.chars().map(|c| c.to_ascii_lowercase()), text.len(), apostrophes);
    }
    let composed = text.nfkc().flat_map(char::to_lowercase).map(without_radical);
    fold_each(composed, text.len(), apostrophes)
}

fn fold_each(composed: impl Iterator<Item = char>, length: usize, apostrophes: bool) -> String {
    let mut out = String::with_capacity(length);
    let mut last = Last::Gap;
    for c in composed.map(simplified) {
        if is_invisible(c) {
            continue;
        }
        if is_combining_mark(c) {
            if last == Last::Other {
                out.push(c);
            }
        } else if apostrophes && is_apostrophe(c) {
            out.push('\'');
            last = Last::Gap;
        } else if !c.is_alphanumeric() || is_apostrophe(c) {
            last = Last::Gap;
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if is_latin(c) {
            push_bare(c, &mut out);
            last = Last::Bare;
        } else {
            out.push(if c == 'ς' { 'σ' } else { c });
            last = if is_han(c) { Last::Bare } else { Last::Other };
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

fn is_latin(c: char) -> bool {
    matches!(c, 'a'..='z' | '\u{df}'..='\u{2af}' | '\u{1e00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '`' | '‘' | '’' | 'ʻ' | 'ʼ' | 'ʹ' | '′')
}

/// Soft hyphens, joiners and marks of direction: they divide no word.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{115f}' | '\u{1160}' | '\u{61c}')
}

/// Pushes a lower-case Latin letter without its accents, and ligatures as two letters.
fn push_bare(c: char, out: &mut String) {
    decompose_canonical(c, |part| match part {
        'a'..='z' => out.push(part),
        'ß' => out.push_str("ss"),
        'æ' => out.push_str("ae"),
        'œ' => out.push_str("oe"),
        'þ' => out.push_str("th"),
        'ŋ' => out.push_str("ng"),
        'ø' => out.push('o'),
        'đ' | 'ð' => out.push('d'),
        'ł' => out.push('l'),
        'ı' => out.push('i'),
        'ħ' => out.push('h'),
        'ŧ' => out.push('t'),
        'ĸ' => out.push('k'),
        'ƒ' => out.push('f'),
        'ə' => out.push('a'),
        mark if is_combining_mark(mark) => {}
        other => out.push(other),
    });
}
