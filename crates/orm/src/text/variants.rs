//! Characters that stand for another: radicals for the character, traditional ones for the simplified.

use std::collections::HashMap;
use std::sync::LazyLock;

/// From U+3400 on, so many characters have their place in a table; those beyond are few.
const FIRST: u32 = 0x3400;
const COUNT: usize = 0xa000 - 0x3400;

static RADICALS: LazyLock<HashMap<char, char>> = LazyLock::new(|| pairs(include_str!("radicals.txt")).collect());

static SIMPLIFIED: LazyLock<(Vec<char>, HashMap<char, char>)> = LazyLock::new(|| {
    let mut near = vec!['\0'; COUNT];
    let mut far = HashMap::new();
    for (traditional, simplified) in pairs(include_str!("simplified.txt")) {
        match near_place(traditional).and_then(|place| near.get_mut(place)) {
            Some(slot) => *slot = simplified,
            None => {
                far.insert(traditional, simplified);
            }
        }
    }
    (near, far)
});

fn pairs(table: &'static str) -> impl Iterator<Item = (char, char)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(|line| {
        let all: Vec<char> = line.chars().collect();
        all.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>()
    })
}

fn near_place(c: char) -> Option<usize> {
    usize::try_from(u32::from(c).checked_sub(FIRST)?)
        .ok()
        .filter(|place| *place < COUNT)
}

/// The character for which a radical of U+2E80 to U+2EF3 stands; any other character as it is.
pub(super) fn without_radical(c: char) -> char {
    if !matches!(c, '\u{2e80}'..='\u{2ef3}') {
        return c;
    }
    RADICALS.get(&c).copied().unwrap_or(c)
}

/// The simplified form of a traditional character; any other character as it is.
pub(super) fn simplified(c: char) -> char {
    if c < '\u{3400}' {
        return c;
    }
    let (near, far) = &*SIMPLIFIED;
    match near_place(c) {
        Some(place) => near
            .get(place)
            .copied()
            .filter(|simplified| *simplified != '\0')
            .unwrap_or(c),
        None => far.get(&c).copied().unwrap_or(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_the_tables_is_pairs_and_nothing_is_mapped_twice() {
        for table in [include_str!("radicals.txt"), include_str!("simplified.txt")] {
            let lines = table.lines().filter(|line| !line.starts_with('#'));
            assert!(lines.clone().all(|line| line.chars().count() % 2 == 0));
            let all: HashMap<char, char> = pairs(table).collect();
            assert_eq!(all.len(), pairs(table).count());
            assert!(all.values().all(|to| !all.contains_key(to)));
        }
    }
}
