//! Faults that tables of every subject have.

use super::{Expected, FaultyRow};

/// Characters that nobody sees stand in a text.
pub(super) fn unseen(sown: &mut FaultyRow<'_>, column: &str) {
    let sign = sown
        .world
        .rng
        .one_of(&['\u{200b}', '\u{2060}', '\u{ad}', '\u{fe0f}', '\u{e0100}', '\u{feff}']);
    let text = sown.get(column);
    let mut signs: Vec<char> = text.chars().collect();
    let place = 1 + sown.world.rng.below(signs.len());
    signs.insert(place, sign);
    sown.set(column, signs.into_iter().collect::<String>());
}

/// A text has a sign in it that a program wrote for what it could not read, or a private one.
pub(super) fn damaged(sown: &mut FaultyRow<'_>, column: &str) {
    let sign = sown
        .world
        .rng
        .one_of(&['\u{fffd}', '\u{f8ff}', '\u{fffc}', '\u{e0041}']);
    let text = sown.get(column);
    let first = text.chars().next().map_or(0, char::len_utf8);
    sown.set(column, format!("{}{sign}{}", &text[..first], &text[first..]));
    sown.refused("TEXT_DAMAGED");
}

/// A character that turns the direction of a text.
pub(super) fn turned(sown: &mut FaultyRow<'_>, column: &str) {
    let sign = sown.world.rng.one_of(&['\u{202e}', '\u{200f}', '\u{61c}']);
    let text = sown.get(column);
    sown.set(column, format!("{text}{sign}甲"));
    sown.refused("NAME_UNSEEN_CHARACTER");
}

/// Radicals stand in the place of characters.
pub(super) fn radicals(sown: &mut FaultyRow<'_>, column: &str) {
    let text = sown.get(column);
    let with: String = text
        .chars()
        .map(|c| match c {
            '青' => '⻘',
            '长' => '⻓',
            '风' => '⻛',
            '马' => '⻢',
            '龙' => '⻰',
            '工' => '⼯',
            '大' => '⼤',
            _ => c,
        })
        .collect();
    assert_ne!(text, with);
    sown.set(column, with);
}

/// Digits and letters of full width.
pub(super) fn wide(sown: &mut FaultyRow<'_>, column: &str) {
    let text = sown.get(column);
    let wide = text.chars().map(|c| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
        _ => c,
    });
    sown.set(column, wide.collect::<String>());
}

/// Another dash than the hyphen.
pub(super) fn dashes(sown: &mut FaultyRow<'_>, column: &str) {
    let dash = sown
        .world
        .rng
        .one_of(&["\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2212}"]);
    let text = sown.get(column);
    assert!(text.contains('-'));
    sown.set(column, text.replace('-', dash));
}

/// A line break in a cell.
pub(super) fn broken(sown: &mut FaultyRow<'_>, column: &str) {
    let text = sown.get(column);
    let signs: Vec<char> = text.chars().collect();
    let (a, b) = signs.split_at(signs.len() / 2);
    sown.set(
        column,
        format!("{}\n{}", a.iter().collect::<String>(), b.iter().collect::<String>()),
    );
}

/// A space between the characters of a name.
pub(super) fn spaced(sown: &mut FaultyRow<'_>, column: &str) {
    let space = sown.world.rng.one_of(&[" ", "\u{3000}", "\u{a0}"]);
    let text = sown.get(column);
    let signs: Vec<String> = text.chars().map(String::from).collect();
    sown.set(column, signs.join(space));
}

/// A number of identity stands where everybody reads it.
pub(super) fn in_clear(sown: &mut FaultyRow<'_>, column: &str) {
    let (text, number) = (sown.get(column), super::world::resident(900_000 + sown.number).1);
    sown.set(column, format!("{text}{number}"));
    sown.refused("IDENTITY_DOCUMENT_IN_CLEAR");
}

/// The same row once more.
pub(super) fn doubled(sown: &mut FaultyRow<'_>) {
    sown.again(Expected::Same);
}

/// A second row means the same record and says something else.
pub(super) fn twice(sown: &mut FaultyRow<'_>, column: &str, other: &str) {
    sown.again(Expected::Refused("ROW_TWICE"));
    sown.set_again(column, other);
}

/// The sheet hides the row.
pub(super) fn hidden(sown: &mut FaultyRow<'_>) {
    sown.row.hidden = true;
    sown.refused("ROW_HIDDEN");
}

/// A formula failed.
pub(super) fn failed(sown: &mut FaultyRow<'_>, column: &str) {
    sown.set(column, "#N/A");
    sown.refused("CELL_ERROR");
}

/// A formula whose value the file does not keep.
pub(super) fn valueless(sown: &mut FaultyRow<'_>, column: &str) {
    let place = sown.place(column);
    sown.row.cells[place] = super::Cell::Valueless;
    sown.refused("CELL_ERROR");
}

/// A cell with a separator in it that is not quoted.
pub(super) fn long(sown: &mut FaultyRow<'_>) {
    sown.row.behind = ",甲,";
    sown.refused("ROW_TOO_LONG");
}

/// A row with nothing in it.
pub(super) fn blank(sown: &mut FaultyRow<'_>) {
    let row = sown.again(Expected::Nothing);
    row.cells
        .iter_mut()
        .for_each(|cell| *cell = super::Cell::Text(String::new()));
}

/// What people write where there is nothing.
pub(super) fn none(sown: &mut FaultyRow<'_>) -> &'static str {
    sown.world.rng.one_of(&["无", "/", "—", "暂无", "N/A", "-"])
}

/// No row stands before another.
pub(super) fn nothing_before(_: usize) -> Option<Vec<String>> {
    None
}
