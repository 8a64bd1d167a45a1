//! The key by which names are sorted: Chinese by pinyin, Latin by letters, compared byte by byte.

use super::pieces::{Piece, pieces};
use super::reading::readings;

/// The longest key in bytes.
const MAX_BYTES: usize = 200;

/// A key that sorts names when compared byte by byte. Each Han character stands as its syllable, a space and itself
/// (`zhang 张san 三`): syllables end where they should (西安 before 先), and one surname stays together among those that
/// sound like it. Other words are folded. At most 200 bytes.
pub fn sort_key(text: &str) -> String {
    let pieces = pieces(text);
    let mut key = String::with_capacity(MAX_BYTES);
    for piece in &pieces {
        match piece {
            Piece::Han(phrase) => {
                let person = phrase.is_short() && pieces.len() == 1;
                for (readings, c) in readings(&phrase.chars, person).iter().zip(&phrase.chars) {
                    key.extend(readings.first().copied());
                    key.push(' ');
                    key.push(*c);
                }
            }
            Piece::Word(word) => {
                for part in word.split('\'').filter(|part| !part.is_empty()) {
                    key.push_str(part);
                    key.push(' ');
                }
            }
        }
        if key.len() > MAX_BYTES {
            break;
        }
    }
    key.truncate(key.floor_char_boundary(MAX_BYTES));
    key.truncate(key.trim_end().len());
    key
}
