//! The tokens under which a resource's names are found.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

use super::PINYIN_CHARS;
use super::fold::fold;
use super::pieces::{Phrase, Piece, forms, pieces};
use super::reading::{initials, readings};
use super::token_list::{Tokens, WORD_CHARS};
use super::written::{add_latin, add_person};

/// How many readings of a whole phrase are indexed, and of its tail from a character inside a short one.
const WHOLE_READINGS: usize = 8;
const TAIL_READINGS: usize = 4;

/// The search tokens of a resource's names: single Han characters and pairs of neighbours; words of other scripts,
/// folded; and for Han phrases the initials and the pinyin from each character on, so that any part of a name is found
/// by the start of a token. Characters with several readings are indexed under all of them in short names and at the
/// start of long ones, up to eight combinations. About four tokens for each Han character.
pub fn tokens<'a>(names: impl IntoIterator<Item = &'a str>) -> Tokens {
    let mut tokens = Tokens::default();
    for name in names {
        let all = pieces(name);
        add_latin(name, &all, &mut tokens);
        let is_alone = all.len() == 1;
        for piece in all {
            match piece {
                Piece::Han(phrase) => add_phrase(&phrase, is_alone, &mut tokens),
                Piece::Word(word) => forms(&word).for_each(|form| tokens.add(form.chars().take(WORD_CHARS))),
            }
        }
    }
    tokens
}

/// Neither index takes a token of any length; of longer ones a digest stands for the rest.
const TOKEN_BYTES: usize = 200;

/// The token by which a record is found by a whole name. No other token begins so: folding leaves no such sign.
pub fn whole_name(name: &str) -> String {
    let token = format!("＝{}", fold(name).replace(' ', "\u{3000}"));
    if token.len() <= TOKEN_BYTES {
        return token;
    }
    let digest = Sha256::digest(token.as_bytes());
    format!("＝{}", HEXLOWER.encode(&digest))
}

/// The token by which a record is found by a value of a field; without a value, by having one. It says nothing of the
/// value, so that any value is a token, letter for letter.
pub fn value_token(field: &str, value: Option<&str>) -> String {
    let digest = Sha256::new()
        .chain_update(field)
        .chain_update([u8::from(value.is_some())])
        .chain_update(value.unwrap_or_default());
    let mut token = "＃".to_owned();
    BASE32_NOPAD.encode_append(&digest.finalize()[..15], &mut token);
    token.make_ascii_lowercase();
    token
}

/// Whether a token stands for a whole name or a value, so that nobody asks for its beginning.
pub fn is_exact(token: &str) -> bool {
    token.starts_with(['＝', '＃'])
}

fn add_phrase(phrase: &Phrase, is_alone: bool, tokens: &mut Tokens) {
    let chars = &phrase.chars;
    chars.iter().for_each(|c| tokens.add([*c]));
    chars.windows(2).for_each(|pair| tokens.add(pair.iter().copied()));
    let readings = readings(chars, phrase.is_short());
    if is_alone && phrase.is_short() {
        add_person(&readings, tokens);
    }
    for at in 0..chars.len() {
        let limit = match at {
            0 => WHOLE_READINGS,
            _ if phrase.is_short() || phrase.starts.contains(&at) => TAIL_READINGS,
            _ => 1,
        };
        add_joined(&readings[at..], limit, tokens);
    }
    let initials = initials(&readings);
    add_joined(&initials, WHOLE_READINGS, tokens);
    if phrase.starts.len() > 1 {
        phrase
            .runs()
            .for_each(|run| add_joined(&initials[run], TAIL_READINGS, tokens));
    }
}

/// Adds the readings of some characters joined to one word, in at most `limit` combinations: first the likeliest of
/// each, then those that differ from it least.
fn add_joined(readings: &[Vec<&'static str>], limit: usize, tokens: &mut Tokens) {
    let mut length = 0;
    let reaching = readings.iter().take_while(|list| {
        let before = length;
        length += list.first().map_or(0, |reading| reading.len());
        before < PINYIN_CHARS
    });
    let readings = &readings[..reaching.count()];
    // How many steps away from the likeliest readings the tail from each character on can go.
    let mut spare = vec![0; readings.len() + 1];
    for at in (0..readings.len()).rev() {
        spare[at] = spare[at + 1] + readings[at].len() - 1;
    }
    let mut combinations = Combinations {
        readings,
        spare,
        left: limit,
        word: String::new(),
        tokens,
    };
    for steps in 0..=combinations.spare[0] {
        if combinations.left > 0 {
            combinations.add(0, steps);
        }
    }
}

struct Combinations<'a> {
    readings: &'a [Vec<&'static str>],
    spare: Vec<usize>,
    left: usize,
    word: String,
    tokens: &'a mut Tokens,
}

impl Combinations<'_> {
    /// Adds the words that go on from `self.word` with the characters from `at` on, exactly `steps` away from the
    /// likeliest readings.
    fn add(&mut self, at: usize, steps: usize) {
        if self.left == 0 || steps > self.spare[at] {
            return;
        }
        let Some(list) = self.readings.get(at) else {
            self.left -= 1;
            if !self.word.is_empty() {
                self.tokens.add_text(&self.word[..self.word.len().min(PINYIN_CHARS)]);
            }
            return;
        };
        for rank in (0..list.len().min(steps + 1)).rev() {
            let before = self.word.len();
            self.word.push_str(list[rank]);
            self.add(at + 1, steps - rank);
            self.word.truncate(before);
        }
    }
}
