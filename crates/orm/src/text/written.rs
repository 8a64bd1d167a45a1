//! Names as people write them: one given name in one or two words, initials beside a surname, umlauts written out, titles behind a
//! name, and a body's name inside an affiliation.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::fold::fold;
use super::pieces::{Piece, pieces};
use super::reading::{initials, is_surname, later_syllables, readings};
use super::script::is_han;
use super::token_list::{Tokens, WORD_CHARS};

/// Names with more Latin words than these are no persons': they have no initials.
const PERSON_WORDS: usize = 4;
/// So many words of a name are joined with their neighbours.
const JOINED_WORDS: usize = 12;
/// A joined word is no longer than this.
const JOINED_CHARS: usize = 24;
/// Between a word and the initial of another. Folding leaves no such sign.
const BESIDE: char = '＋';

/// What stands behind a person's name, or before it, and is none of it.
const TITLES_BEHIND: [&str; 20] = [
    "副教授",
    "教授",
    "副研究员",
    "研究员",
    "助理研究员",
    "院士",
    "博士后",
    "博士",
    "硕士",
    "讲师",
    "高级工程师",
    "总工程师",
    "工程师",
    "副主任",
    "主任",
    "先生",
    "女士",
    "老师",
    "博导",
    "主任医师",
];
const TITLES_BEFORE: [&str; 10] = [
    "dr",
    "prof",
    "professor",
    "mr",
    "mrs",
    "ms",
    "academician",
    "phd",
    "md",
    "doctor",
];

/// Words that are written short. They are looked up by their beginning.
const SHORT_WORDS: [&str; 9] = ["univ", "inst", "acad", "lab", "sci", "tech", "dept", "hosp", "coll"];

/// What ends the name of a body, the longest first, behind which its parts are named.
const BODY_ENDS: [&str; 8] = ["研究院", "研究所", "科学院", "大学", "学院", "医院", "公司", "中心"];
const BODY_WORDS: [&str; 9] = [
    "university",
    "universität",
    "institute",
    "academy",
    "college",
    "hospital",
    "laboratory",
    "univ",
    "company",
];

/// Short names that everybody uses, and what they stand for.
const SHORT_NAMES: [(&str, &str); 6] = [
    ("中科院", "中国科学院"),
    ("中国社科院", "中国社会科学院"),
    ("中国农科院", "中国农业科学院"),
    ("中国林科院", "中国林业科学研究院"),
    ("中国医科院", "中国医学科学院"),
    ("中国水科院", "中国水产科学研究院"),
];

/// The words, beside those that stand in a name, by which it is found: neighbours as one word, the later syllables of a pinyin word,
/// umlauts written out, and each word of a person's name beside the initials of the others.
pub(super) fn other_words(name: &str) -> BTreeSet<String> {
    let (mut found, all) = (Tokens::default(), pieces(name));
    add_latin(name, &all, &mut found);
    if let [Piece::Han(phrase)] = all.as_slice()
        && phrase.is_short()
    {
        add_person(&readings(&phrase.chars, true), &mut found);
    }
    found.sorted().into_iter().map(str::to_owned).collect()
}

/// Those of names in Latin letters.
pub(super) fn add_latin(name: &str, all: &[Piece], found: &mut Tokens) {
    if !all.iter().any(|piece| matches!(piece, Piece::Word(_))) {
        return;
    }
    let words: Vec<String> = all
        .iter()
        .filter_map(|piece| match piece {
            Piece::Word(word) => Some(word.replace('\'', "")),
            Piece::Han(_) => None,
        })
        .filter(|word| word.chars().all(char::is_alphabetic))
        .collect();
    let pairs = words.windows(2).take(JOINED_WORDS);
    // A person's whole name too.
    let whole = (3..=PERSON_WORDS).contains(&words.len()).then_some(words.as_slice());
    for run in pairs.chain(whole) {
        let joined = run.concat();
        if joined.chars().count() <= JOINED_CHARS && run.iter().all(|word| word.len() > 1) {
            found.add_text(&joined);
        }
    }
    let out = written_out(name);
    for text in [joined(name), joined(&out), Cow::Borrowed(&*out)] {
        if *text != *name {
            let folded = fold(&text);
            let words = folded
                .split(' ')
                .filter(|word| !word.is_empty() && !word.contains(is_han));
            words.for_each(|word| found.add(word.chars().take(WORD_CHARS)));
        }
    }
    if words.len() == all.len() && words.len() <= PERSON_WORDS {
        let tails: Vec<Vec<&str>> = words.iter().map(|word| tails(word)).collect();
        tails.iter().flatten().for_each(|tail| found.add_text(tail));
        let initials: Vec<Vec<char>> = words
            .iter()
            .zip(&tails)
            .map(|(word, tails)| initials_of(word, tails))
            .collect();
        // Without umlauts and apostrophes they are the words.
        let is_other = matches!(out, Cow::Owned(_)) || name.contains(is_apostrophe);
        let written = if is_other { fold(&out) } else { String::new() };
        let written: Vec<&str> = written.split(' ').collect();
        for (at, word) in words.iter().enumerate().filter(|(_, word)| word.chars().count() > 1) {
            let spellings = std::iter::once(word.as_str()).chain(
                written
                    .get(at)
                    .copied()
                    .filter(|_| is_other && written.len() == words.len()),
            );
            for spelling in spellings {
                let others = initials.iter().enumerate().filter(|(other, _)| *other != at);
                let initials = others.flat_map(|(_, of)| of);
                initials.for_each(|initial| found.add_text(&beside(spelling, *initial)));
            }
        }
    }
}

/// A Chinese person's surname beside the initials of the given name.
pub(super) fn add_person(readings: &[Vec<&'static str>], found: &mut Tokens) {
    let surnames = readings.first().map_or(&[][..], Vec::as_slice);
    // ü is written v, u and yu.
    let is_umlaut = surnames.first().is_some_and(|first| first.contains('v'));
    let count = if is_umlaut { 3 } else { 1 };
    for surname in surnames.iter().take(count).filter(|surname| !surname.is_empty()) {
        for list in initials(readings).iter().skip(1) {
            let letters = list.iter().flat_map(|initial| initial.chars());
            letters.for_each(|initial| found.add_text(&beside(surname, initial)));
        }
    }
}

/// A word and the initial of another.
pub(super) fn beside(word: &str, initial: char) -> String {
    let mut both = String::with_capacity(word.len() + BESIDE.len_utf8() + initial.len_utf8());
    both.push_str(word);
    both.push(BESIDE);
    both.push(initial);
    both
}

/// The first letter of a word and of each later syllable.
fn initials_of(word: &str, tails: &[&str]) -> Vec<char> {
    let tails = tails.iter().copied();
    std::iter::once(word)
        .chain(tails)
        .filter_map(|part| part.chars().next())
        .collect()
}

/// The later syllables of a pinyin word, with those that follow.
fn tails(word: &str) -> Vec<&str> {
    let starts = later_syllables(word).into_iter();
    starts
        .map(|start| &word[start..])
        .filter(|tail| tail.len() > 1)
        .collect()
}

/// A text with its umlauts as two letters.
pub(super) fn written_out(text: &str) -> Cow<'_, str> {
    use unicode_normalization::UnicodeNormalization;
    // A letter with a mark, or the mark by itself.
    if !text.contains(|c| matches!(c, '\u{c0}'..='\u{24f}' | '\u{300}'..='\u{36f}' | '\u{212b}')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.nfc() {
        match c {
            'ä' | 'Ä' | 'æ' | 'Æ' => out.push_str("ae"),
            'ö' | 'Ö' | 'ø' | 'Ø' => out.push_str("oe"),
            'ü' | 'Ü' => out.push_str("ue"),
            'å' | 'Å' => out.push_str("aa"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Of any kind: folding makes one of them or takes it out.
fn is_apostrophe(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace() && !is_hyphen(c) && c != '.'
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2013}')
}

fn is_latin_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}')
}

/// Words with a hyphen between them as one word, as they are indexed.
pub(super) fn joined(query: &str) -> Cow<'_, str> {
    if !query.contains(is_hyphen) {
        return Cow::Borrowed(query);
    }
    let chars: Vec<char> = query.chars().collect();
    let is_word = |part: &[char]| part.len() > 1;
    let letters_before = |at: usize| {
        let from = chars[..at]
            .iter()
            .rposition(|c| !is_latin_letter(*c))
            .map_or(0, |p| p + 1);
        &chars[from..at]
    };
    let letters_after = |at: usize| {
        let end = chars[at..]
            .iter()
            .position(|c| !is_latin_letter(*c))
            .map_or(chars.len(), |p| at + p);
        &chars[at..end]
    };
    let mut out = String::with_capacity(query.len());
    let mut just_joined = false;
    for (at, c) in chars.iter().enumerate() {
        // Only pairs are indexed.
        if is_hyphen(*c) && !just_joined && is_word(letters_before(at)) && is_word(letters_after(at + 1)) {
            just_joined = true;
            continue;
        }
        if !c.is_alphabetic() {
            just_joined = false;
        }
        out.push(*c);
    }
    Cow::Owned(out)
}

/// A query without what people write beside a person's name: titles, and what stands in brackets behind it.
pub(super) fn without_titles(query: &str) -> String {
    let mut rest = query.trim();
    if let Some(open) = rest.find(['（', '(', '[', '［'])
        && rest.ends_with(['）', ')', ']', '］'])
        && is_person(rest[..open].trim())
    {
        rest = rest[..open].trim();
    }
    while let Some(title) = TITLES_BEHIND
        .iter()
        .find(|title| rest.strip_suffix(**title).map(str::trim).is_some_and(is_person))
    {
        rest = rest.strip_suffix(title).unwrap_or(rest).trim();
    }
    while let Some((first, others)) = rest.split_once(['.', ' ']) {
        let others = others.trim_start_matches(['.', ' ']);
        if others.is_empty() || !TITLES_BEFORE.contains(&first.to_lowercase().as_str()) {
            break;
        }
        rest = others;
    }
    rest.to_owned()
}

/// Whether a text can be the name of a Chinese person: two to four characters that begin with a surname.
fn is_person(text: &str) -> bool {
    let chars: Vec<char> = fold(text).chars().filter(|c| *c != ' ').collect();
    (2..=4).contains(&chars.len()) && chars.iter().all(|c| is_han(*c)) && is_surname(&chars)
}

/// Whether a word of a query stands for words that begin with it.
pub(super) fn is_short_word(word: &str) -> bool {
    SHORT_WORDS.contains(&word)
}

/// Whether a word is one initial, or several without a vowel.
pub(super) fn are_initials(word: &str) -> bool {
    let count = word.chars().count();
    word.chars().all(char::is_alphabetic)
        && !word.contains(is_han)
        && (count == 1 || (count <= 3 && !word.contains(['a', 'e', 'i', 'o', 'u', 'y'])))
}

/// What else may be meant by a query of which nothing is found: the body in a longer affiliation, short names as they are in full, two
/// words as one. At most four.
pub(super) fn others(query: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let parts: Vec<&str> = query
        .split([',', '，', ';', '；'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() > 1 {
        let named = |part: &&&str| {
            let lower = part.to_lowercase();
            BODY_WORDS.iter().any(|word| lower.contains(word)) || BODY_ENDS.iter().any(|end| lower.contains(end))
        };
        found.extend(parts.iter().filter(named).map(|part| (*part).to_owned()));
    }
    for (short, long) in SHORT_NAMES {
        if let Some(rest) = query.trim().strip_prefix(short) {
            let rest = match rest.strip_suffix('所') {
                Some(field) if !field.ends_with("研究") && !field.is_empty() => format!("{field}研究所"),
                _ => rest.to_owned(),
            };
            found.push(format!("{long}{rest}"));
        }
    }
    for text in parts.first().into_iter().filter(|_| parts.len() == 1) {
        for end in BODY_ENDS {
            if let Some(at) = text.find(end)
                && at + end.len() < text.len()
                && at >= '大'.len_utf8() * 2
            {
                found.push(text[..at + end.len()].to_owned());
                break;
            }
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_latin = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_alphabetic() && !is_han(c));
        if (2..=PERSON_WORDS).contains(&words.len()) && words.iter().all(is_latin) {
            for at in 0..words.len() - 1 {
                let mut joined: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
                let second = joined.remove(at + 1);
                if let Some(first) = joined.get_mut(at) {
                    first.push_str(&second);
                }
                found.push(joined.join(" "));
            }
        }
    }
    found.truncate(4);
    found
}
