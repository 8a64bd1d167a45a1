//! A name taken apart into Han phrases and words.

use super::fold::fold_with_apostrophes;
use super::script::is_han;

/// A part of a folded name.
pub(super) enum Piece {
    /// Han characters that follow each other. Punctuation and spaces between two of them are left out, as in names
    /// that tables pad (张　三) or that have a dot (阿卜杜拉·买买提).
    Han(Phrase),
    /// Letters and digits of other scripts, perhaps with apostrophes inside.
    Word(String),
}

/// Han characters, and where a run of them starts that stood apart in the text.
pub(super) struct Phrase {
    pub(super) chars: Vec<char>,
    pub(super) starts: Vec<usize>,
}

impl Phrase {
    /// A person's name may have two to four characters, and then starts with a surname.
    pub(super) fn is_short(&self) -> bool {
        (2..=4).contains(&self.chars.len())
    }

    /// The runs as ranges.
    pub(super) fn runs(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let ends = self.starts.iter().skip(1).copied().chain([self.chars.len()]);
        self.starts.iter().copied().zip(ends).map(|(start, end)| start..end)
    }

    /// Whether the characters of `run` follow each other here.
    pub(super) fn contains(&self, run: &[char]) -> bool {
        self.chars.windows(run.len()).any(|window| window == run)
    }
}

/// The pieces of a name in their order.
pub(super) fn pieces(name: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut gap = true;
    for c in fold_with_apostrophes(name).chars() {
        let inside_word = !gap && matches!(pieces.last(), Some(Piece::Word(_)));
        if c == ' ' || (c == '\'' && !inside_word) {
            gap = true;
            continue;
        }
        match pieces.last_mut() {
            Some(Piece::Word(word)) if inside_word && !is_han(c) => word.push(c),
            Some(Piece::Han(phrase)) if is_han(c) => {
                if gap {
                    phrase.starts.push(phrase.chars.len());
                }
                phrase.chars.push(c);
            }
            _ if is_han(c) => pieces.push(Piece::Han(Phrase {
                chars: vec![c],
                starts: vec![0],
            })),
            _ => pieces.push(Piece::Word(c.to_string())),
        }
        gap = false;
    }
    pieces
}

/// The words that a word with apostrophes can be found by: each part, and all of them together.
pub(super) fn forms(word: &str) -> impl Iterator<Item = String> {
    let parts: Vec<&str> = word.split('\'').filter(|part| !part.is_empty()).collect();
    let together = (parts.len() > 1).then(|| parts.concat());
    parts
        .into_iter()
        .map(str::to_owned)
        .chain(together)
        .collect::<Vec<_>>()
        .into_iter()
}
