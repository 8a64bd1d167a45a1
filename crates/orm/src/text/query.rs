//! A search query: the terms that tokens must meet, and the recheck of what they found.

use std::cell::LazyCell;
use std::ops::Range;

use super::PINYIN_CHARS;
use super::fold::fold;
use super::pieces::{Piece, forms, pieces};
use super::reading::{initials, is_pinyin, readings};
use super::script::is_han;
use super::written::{are_initials, beside, is_short_word, joined, other_words, others, without_titles, written_out};

/// A query is cut here; names are shorter.
const MAX_CHARS: usize = 200;

/// More terms than these would narrow nothing; [`Query::accepts`] compares the whole query.
const MAX_TERMS: usize = 12;

/// A condition on the tokens of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What a token must be, or start with.
    pub text: String,
    /// Whether it is enough that a token starts with the text.
    pub prefix: bool,
    /// Other tokens that will do.
    pub or: Vec<String>,
}

/// What somebody searches for: Han characters, pinyin, initials or words of other scripts, in any mixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    whole: String,
    runs: Vec<Vec<char>>,
    words: Vec<Term>,
    terms: Vec<Term>,
}

impl Query {
    /// Reads a query. `None` where it holds neither letters nor digits.
    pub fn parse(text: &str) -> Option<Self> {
        let whole: String = fold(text).chars().take(MAX_CHARS).collect();
        let named = without_titles(&text.chars().take(MAX_CHARS).collect::<String>());
        let asked = joined(&named);
        let (plain, out): (String, String) = (fold(&asked), fold(&written_out(&asked)));
        let out: Vec<&str> = out.split(' ').flat_map(by_script).collect();
        let (mut runs, mut words) = (Vec::new(), Vec::new());
        for (at, part) in plain.split(' ').flat_map(by_script).enumerate() {
            if part.starts_with(is_han) {
                runs.push(part.chars().collect::<Vec<_>>());
            } else {
                words.push(Term {
                    text: part.to_owned(),
                    prefix: is_pinyin(part) || is_short_word(part),
                    or: out
                        .get(at)
                        .filter(|word| **word != part)
                        .map(|word| (*word).to_owned())
                        .into_iter()
                        .collect(),
                });
            }
        }
        if let Some(last) = words.last_mut() {
            last.prefix = true;
        }
        add_initials(&mut words);
        let mut terms = Vec::new();
        runs.iter()
            .flat_map(|run| han_terms(run))
            .chain(words.iter().map(word_term))
            .for_each(|term| {
                if !terms.contains(&term) && terms.len() < MAX_TERMS {
                    terms.push(term);
                }
            });
        (!terms.is_empty()).then_some(Self {
            whole,
            runs,
            words,
            terms,
        })
    }

    /// The conditions that the tokens of a resource must all meet. They may let through what [`Query::accepts`]
    /// refuses: pairs of characters that lie apart, words from different names.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The folded query.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// Whether one of the names holds all of the query: each run of Han characters as it stands, each other word as a
    /// word, as pinyin or as initials.
    pub fn accepts<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        names.into_iter().any(|name| {
            let pieces = pieces(name);
            self.runs.iter().all(|run| has_run(&pieces, run)) && (self.words.is_empty() || self.has_words(name, pieces))
        })
    }

    fn has_words(&self, name: &str, pieces: Vec<Piece>) -> bool {
        let pieces: Vec<Sound> = pieces.into_iter().map(Sound::new).collect();
        let others = LazyCell::new(|| other_words(name));
        let partners: Vec<&String> = partners(&self.words).collect();
        self.words.iter().all(|word| {
            if pieces.iter().any(|piece| piece.meets(word)) {
                return true;
            }
            if are_initials(&word.text) {
                let together = |partner: &&String| {
                    word.text
                        .chars()
                        .all(|letter| others.contains(&beside(partner, letter)))
                };
                return others.iter().any(|other| is_met(word, other)) || partners.iter().any(together);
            }
            let written = |or: &String| {
                let term = Term {
                    text: or.clone(),
                    prefix: false,
                    or: Vec::new(),
                };
                pieces.iter().any(|piece| piece.meets(&term)) || others.contains(or)
            };
            others.iter().any(|other| is_met(word, other)) || word.or.iter().any(written)
        })
    }

    /// What else may be meant where a query finds nothing.
    pub fn others(text: &str) -> Vec<String> {
        others(text)
    }
}

/// Whether a token of a name is what a word asks for by itself.
fn is_met(word: &Term, token: &str) -> bool {
    *token == word.text || (word.prefix && token.starts_with(&word.text))
}

/// The words of a query that are no initials, in all their spellings.
fn partners(words: &[Term]) -> impl Iterator<Item = &String> {
    let whole = words.iter().filter(|word| !are_initials(&word.text));
    whole
        .flat_map(|word| std::iter::once(&word.text).chain(&word.or))
        .take(4)
}

/// Initials are met by those of a name beside its other words.
fn add_initials(words: &mut [Term]) {
    let partners: Vec<String> = partners(words).cloned().collect();
    for word in words.iter_mut().filter(|word| are_initials(&word.text)) {
        if let Some(first) = word.text.chars().next() {
            word.or.extend(partners.iter().map(|partner| beside(partner, first)));
        }
    }
}

/// The parts of a word that are all Han or all of other scripts: `5g通信` is `5g` and `通信`.
fn by_script(mut word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while let Some(first) = word.chars().next() {
        let end = word.find(|c| is_han(c) != is_han(first)).unwrap_or(word.len());
        let (part, rest) = word.split_at(end);
        parts.push(part);
        word = rest;
    }
    parts
}

/// A lone character, or all pairs of neighbours.
fn han_terms(run: &[char]) -> Vec<Term> {
    run.windows(run.len().min(2))
        .map(|part| Term {
            text: part.iter().collect(),
            prefix: false,
            or: Vec::new(),
        })
        .collect()
}

/// A word, cut where pinyin tokens are.
fn word_term(word: &Term) -> Term {
    let text: String = word.text.chars().take(PINYIN_CHARS).collect();
    Term {
        prefix: word.prefix || text.len() < word.text.len(),
        text,
        or: word.or.clone(),
    }
}

fn has_run(pieces: &[Piece], run: &[char]) -> bool {
    pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Han(phrase) if phrase.contains(run)))
}

/// What a piece of a name can be called in letters.
enum Sound {
    /// Where its runs start and end, and the readings and initials of its characters.
    Han {
        runs: Vec<Range<usize>>,
        readings: Vec<Vec<&'static str>>,
        initials: Vec<Vec<&'static str>>,
    },
    /// The forms of a word.
    Word(Vec<String>),
}

impl Sound {
    fn new(piece: Piece) -> Self {
        match piece {
            Piece::Word(word) => Self::Word(forms(&word).collect()),
            Piece::Han(phrase) => {
                let readings = readings(&phrase.chars, phrase.is_short());
                Self::Han {
                    runs: phrase.runs().collect(),
                    initials: initials(&readings),
                    readings,
                }
            }
        }
    }

    /// A word that is no prefix must be a whole word, or the initials of whole runs: pinyin is always a prefix.
    fn meets(&self, word: &Term) -> bool {
        match self {
            Self::Word(forms) => forms
                .iter()
                .any(|form| *form == word.text || (word.prefix && form.starts_with(&word.text))),
            Self::Han { readings, .. }
                if word.prefix && (0..readings.len()).any(|at| spells(&readings[at..], word)) =>
            {
                true
            }
            Self::Han { runs, initials, .. } => runs.iter().any(|run| {
                let ends = runs.iter().map(|other| other.end).filter(|end| *end >= run.end);
                ends.map(|end| &initials[run.start..end])
                    .any(|initials| spells(initials, word))
            }),
        }
    }
}

/// Whether a word is made of one reading of each character in turn: of all, or of the first where it is a prefix.
fn spells(readings: &[Vec<&'static str>], word: &Term) -> bool {
    fn rest_spells(readings: &[Vec<&'static str>], rest: &str, prefix: bool) -> bool {
        let Some((list, others)) = readings.split_first() else {
            return rest.is_empty();
        };
        if prefix && rest.is_empty() {
            return true;
        }
        list.iter().any(|reading| match rest.strip_prefix(reading) {
            Some(rest) => rest_spells(others, rest, prefix),
            None => prefix && reading.starts_with(rest),
        })
    }
    rest_spells(readings, &word.text, word.prefix)
}
