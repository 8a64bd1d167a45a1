//! Texts with columns in them (`{surname} {firstname?}`), and the steps that clean a cell.

use std::borrow::Cow;

use serde::Deserialize;

/// A text of a mapping: fixed, one column, or several with text between.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text as it stands.
    Fixed(String),
    /// A column by its place in the mapping's columns. An optional one may be empty.
    Column { column: usize, optional: bool },
}

impl Template {
    /// Reads `text`; `column` gives a column's place by its name.
    pub(crate) fn parse(text: &str, column: &mut dyn FnMut(&str) -> usize) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut fixed = String::new();
        let mut signs = text.chars().peekable();
        while let Some(sign) = signs.next() {
            match sign {
                '{' | '}' if signs.peek() == Some(&sign) => {
                    signs.next();
                    fixed.push(sign);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match signs.next() {
                            Some('}') => break,
                            Some(c) if c != '{' => name.push(c),
                            _ => {
                                return Err(format!(
                                    "{text:?}: `{{` without its `}}`; a brace of the text is written twice"
                                ));
                            }
                        }
                    }
                    let name = name.trim();
                    let (name, optional) = match name.strip_suffix('?') {
                        Some(name) => (name.trim_end(), true),
                        None => (name, false),
                    };
                    if name.is_empty() {
                        return Err(format!("{text:?}: `{{}}` names no column"));
                    }
                    if !fixed.is_empty() {
                        pieces.push(Piece::Fixed(std::mem::take(&mut fixed)));
                    }
                    pieces.push(Piece::Column {
                        column: column(name),
                        optional,
                    });
                }
                '}' => {
                    return Err(format!(
                        "{text:?}: `}}` without its `{{`; a brace of the text is written twice"
                    ));
                }
                _ => fixed.push(sign),
            }
        }
        if !fixed.is_empty() {
            pieces.push(Piece::Fixed(fixed));
        }
        Ok(Template { pieces })
    }

    /// The columns in it.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().filter_map(|p| match p {
            Piece::Column { column, .. } => Some(*column),
            Piece::Fixed(_) => None,
        })
    }

    /// Fills in the cells. Empty where a column that is not optional is empty, or where all are.
    pub(crate) fn fill<'a, E>(
        &self,
        mut cell: impl FnMut(usize) -> Result<Cow<'a, str>, E>,
    ) -> Result<Cow<'a, str>, E> {
        if let [Piece::Column { column, .. }] = self.pieces.as_slice() {
            return cell(*column);
        }
        let mut text = String::new();
        let (mut columns, mut filled) = (0, 0);
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(fixed) => text.push_str(fixed),
                Piece::Column { column, optional } => {
                    columns += 1;
                    let value = cell(*column)?;
                    if value.is_empty() && !optional {
                        return Ok(Cow::Borrowed(""));
                    }
                    filled += usize::from(!value.is_empty());
                    text.push_str(&value);
                }
            }
        }
        if columns > 0 && filled == 0 {
            return Ok(Cow::Borrowed(""));
        }
        if filled < columns {
            // The text around an empty column leaves no gap.
            return Ok(Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        Ok(Cow::Owned(text))
    }
}

/// A step of cleaning.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Clean {
    /// `&eacute;` and `&#332;` become the characters they stand for.
    Html,
    /// One pair of quotation marks around the whole is taken away.
    Quotes,
    /// White space of any kind, line breaks too, becomes one space.
    Spaces,
    /// Full-width letters, digits and signs become ordinary ones.
    Halfwidth,
    /// Capitals.
    Upper,
    /// Small letters.
    Lower,
    /// Spaces between Chinese characters are taken away: 张　三.
    HanSpaces,
    /// An apostrophe before the whole, as spreadsheets show text: '0012.
    Apostrophe,
    /// Signs of notes at both ends: *, ※, ★.
    Marks,
    /// Words in brackets at the end: 李四（女）.
    Brackets,
    /// 等 at the end.
    Etc,
    /// A number at the start: `1.`, `2、`, `（3）`, ④.
    Numbering,
    /// Words for about: 约1500, 3000余.
    About,
}

/// The cell after all steps, trimmed before and after each.
pub(crate) fn cleaned<'a>(cell: &'a str, steps: &[Clean]) -> Cow<'a, str> {
    let trimmed = cell.trim();
    if trimmed.is_empty() && steps.is_empty() && cell.contains(['\u{2028}', '\u{2029}']) {
        // A cell that looks empty and holds a line break of a word processor is not taken for empty.
        return Cow::Borrowed(cell);
    }
    let mut value = Cow::Borrowed(trimmed);
    for step in steps {
        let next = match step {
            Clean::Html => html_escape::decode_html_entities(value.as_ref()).into_owned(),
            Clean::Quotes => unquoted(&value).to_owned(),
            Clean::Spaces => value.split_whitespace().collect::<Vec<_>>().join(" "),
            Clean::Halfwidth => halfwidth(&value),
            Clean::Upper => value.to_uppercase(),
            Clean::Lower => value.to_lowercase(),
            Clean::HanSpaces => without_spaces(&value),
            Clean::Apostrophe => value.strip_prefix(['\'', '‘', '’', '`']).unwrap_or(&value).to_owned(),
            Clean::Marks => value.trim_matches(['*', '＊', '※', '★', '☆', '△', '▲']).to_owned(),
            Clean::Brackets => unbracketed(&value).to_owned(),
            Clean::Etc => value.strip_suffix('等').unwrap_or(&value).to_owned(),
            Clean::Numbering => unnumbered(&value).to_owned(),
            Clean::About => {
                let value = value
                    .trim_start_matches("大约")
                    .trim_start_matches(['约', '近', '逾', '超']);
                let value = value.trim_end_matches("左右").trim_end_matches("以上");
                // 3000余平方米: the word stands before the unit.
                let mut kept = String::new();
                for sign in value.chars() {
                    let about = matches!(sign, '余' | '多') && kept.ends_with(|c: char| c.is_numeric());
                    if !about {
                        kept.push(sign);
                    }
                }
                kept
            }
        };
        let trimmed = next.trim();
        if trimmed != value {
            value = Cow::Owned(trimmed.to_owned());
        }
    }
    value
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

fn without_spaces(text: &str) -> String {
    let mut kept = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign.is_whitespace() && kept.ends_with(is_han) {
            let rest = signs.clone().find(|c| !c.is_whitespace());
            if rest.is_some_and(is_han) {
                continue;
            }
        }
        kept.push(sign);
    }
    kept
}

fn unbracketed(text: &str) -> &str {
    for (open, close) in [('（', '）'), ('(', ')'), ('[', ']'), ('【', '】')] {
        if text.ends_with([close, if close == '）' { ')' } else { close }])
            && let Some((before, _)) = text.rsplit_once(open)
        {
            return before;
        }
    }
    text
}

fn unnumbered(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix(|c: char| ('①'..='⒛').contains(&c)) {
        return rest;
    }
    let open = text.strip_prefix(['（', '(']);
    let rest = open.unwrap_or(text);
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    // 3.5 is a number and 2024-1 is none of a list.
    match after.strip_prefix(if open.is_some() {
        ['）', ')', ')']
    } else {
        ['.', '、', '．']
    }) {
        Some(left) if after.len() < rest.len() && !left.starts_with(|c: char| c.is_ascii_digit()) => left,
        _ => text,
    }
}

fn unquoted(text: &str) -> &str {
    for (open, close) in [
        ('"', '"'),
        ('“', '”'),
        ('\'', '\''),
        ('‘', '’'),
        ('「', '」'),
        ('《', '》'),
    ] {
        if let Some(inner) = text.strip_prefix(open).and_then(|t| t.strip_suffix(close))
            && !inner.contains([open, close])
        {
            return inner;
        }
    }
    text
}

/// Full-width ASCII and the ideographic space as their ordinary forms.
pub(crate) fn halfwidth(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    };
    text.chars().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, cells: &[(&str, &str)]) -> String {
        let mut names = Vec::new();
        let template = Template::parse(text, &mut |name| {
            names.push(name.to_owned());
            names.len() - 1
        })
        .unwrap();
        let find = |i: usize| cells.iter().find(|(n, _)| *n == names[i]).map_or("", |(_, v)| v);
        template
            .fill(|i| Ok::<_, ()>(Cow::Owned(find(i).to_owned())))
            .unwrap()
            .into_owned()
    }

    #[test]
    fn a_template_is_empty_where_a_column_is_that_must_not_be() {
        let cells = [("year", "1901"), ("category", "physics")];
        assert_eq!(fill("{year}-{category}", &cells), "1901-physics");
        assert_eq!(fill("{year}-{category}", &cells[..1]), "");
        assert_eq!(fill("nobel", &[]), "nobel");
    }

    #[test]
    fn an_optional_column_leaves_no_gap() {
        assert_eq!(
            fill("{first} {last?}", &[("first", "Aung San Suu Kyi")]),
            "Aung San Suu Kyi"
        );
        assert_eq!(fill("{a?} {b?} {c?}", &[("a", "x"), ("c", "z")]), "x z");
        assert_eq!(fill("{a?} {b?}", &[]), "");
    }

    #[test]
    fn braces_of_the_text_are_written_twice() {
        assert_eq!(fill("{{{a}}}", &[("a", "1")]), "{1}");
        for wrong in ["{a", "a}", "{}", "{ ? }", "{a{b}}"] {
            assert!(Template::parse(wrong, &mut |_| 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cells_are_cleaned_step_by_step() {
        assert_eq!(
            cleaned(" R&ouml;ntgen, &#332;mura &amp;c ", &[Clean::Html]),
            "Röntgen, Ōmura &c"
        );
        assert_eq!(
            cleaned("\"for &quot;work&quot;\" ", &[Clean::Quotes]),
            "for &quot;work&quot;"
        );
        assert_eq!(cleaned("\"a\" and \"b\"", &[Clean::Quotes]), "\"a\" and \"b\"");
        assert_eq!(cleaned("“市南区”", &[Clean::Quotes]), "市南区");
        assert_eq!(
            cleaned("ＡＢ１２　（市）", &[Clean::Halfwidth, Clean::Lower]),
            "ab12 (市)"
        );
        assert_eq!(cleaned(" a \n b", &[Clean::Spaces]), "a b");
        for (cell, step, expected) in [
            ("孙　示 六", Clean::HanSpaces, "孙示六"),
            ("Li Si 研究 所", Clean::HanSpaces, "Li Si 研究所"),
            ("'0012", Clean::Apostrophe, "0012"),
            ("*王示一＊", Clean::Marks, "王示一"),
            ("李示二（女）", Clean::Brackets, "李示二"),
            ("李示二(女)", Clean::Brackets, "李示二"),
            ("青岛示例大学等", Clean::Etc, "青岛示例大学"),
            ("1.青岛示例大学", Clean::Numbering, "青岛示例大学"),
            ("（2）示例所", Clean::Numbering, "示例所"),
            ("③示例所", Clean::Numbering, "示例所"),
            ("3.5", Clean::Numbering, "3.5"),
            ("约1500", Clean::About, "1500"),
            ("3000余㎡", Clean::About, "3000㎡"),
            ("200多人", Clean::About, "200人"),
        ] {
            assert_eq!(cleaned(cell, &[step]), expected, "{cell}");
        }
    }
}
