//! Reads a filter: by descent, with the depth bounded, so that no text can exhaust the stack.

use super::{Expr, Operator, invalid, value};
use crate::error::{Error, Result};
use crate::model::column::{self, Column, Type};

/// Parentheses in each other, at most.
const DEPTH_AT_MOST: usize = 20;
/// Comparisons in a filter, at most.
pub const COMPARISONS_AT_MOST: usize = 100;
/// A longer word is not repeated in an error.
const WORD_AT_MOST: usize = 40;

/// Reads a filter over these fields; `None` for a blank text, which asks for nothing.
/// Errors: `FILTER_INVALID`, `FILTER_FIELD_UNKNOWN`, `FILTER_VALUE_INVALID`.
pub fn parse(text: &str, columns: &[Column]) -> Result<Option<Expr>> {
    let mut reader = Reader {
        rest: text,
        at: 1,
        comparisons: 0,
        columns,
    };
    reader.skip_blanks();
    if reader.rest.is_empty() {
        return Ok(None);
    }
    let filter = reader.all(0)?;
    match reader.peek() {
        None => Ok(Some(filter)),
        Some(_) => Err(invalid(reader.at, "there is no `(` for this `)`")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// Which character `rest` begins with, counted from 1.
    at: usize,
    comparisons: usize,
    columns: &'a [Column],
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes the characters from here on that `belongs` says.
    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.at += taken.chars().count();
        taken
    }

    fn skip_blanks(&mut self) {
        self.take(char::is_whitespace);
    }

    /// Takes exactly this, where it stands here.
    fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.rest = rest;
        self.at += text.chars().count();
        true
    }

    /// Takes this keyword, where it stands here as a word of its own.
    fn eat_word(&mut self, word: &str) -> bool {
        let whole = self
            .rest
            .strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(is_word));
        whole && self.eat(word)
    }

    /// Parts joined by AND or just side by side, up to a closing parenthesis or the end.
    fn all(&mut self, depth: usize) -> Result<Expr> {
        let mut parts = Vec::new();
        loop {
            flatten(&mut parts, self.any(depth)?, |part| match part {
                Expr::And(parts) => Ok(parts),
                other => Err(other),
            });
            self.skip_blanks();
            if matches!(self.peek(), None | Some(')')) {
                return Ok(one_or(parts, Expr::And));
            }
            self.eat_word("AND");
        }
    }

    /// Parts joined by OR.
    fn any(&mut self, depth: usize) -> Result<Expr> {
        let mut parts = Vec::new();
        loop {
            flatten(&mut parts, self.term(depth)?, |part| match part {
                Expr::Or(parts) => Ok(parts),
                other => Err(other),
            });
            self.skip_blanks();
            if !self.eat_word("OR") {
                return Ok(one_or(parts, Expr::Or));
            }
        }
    }

    /// A comparison or parenthesis, with or without a NOT.
    fn term(&mut self, depth: usize) -> Result<Expr> {
        self.skip_blanks();
        let not = self.eat_word("NOT") || self.eat("-");
        self.skip_blanks();
        let part = if self.peek() == Some('(') {
            self.enclosed(depth)?
        } else {
            self.comparison()?
        };
        Ok(match part {
            Expr::Not(part) if not => *part,
            part if not => Expr::Not(Box::new(part)),
            part => part,
        })
    }

    fn enclosed(&mut self, depth: usize) -> Result<Expr> {
        let opened = self.at;
        if depth == DEPTH_AT_MOST {
            return Err(invalid(
                opened,
                &format!("more than {DEPTH_AT_MOST} parentheses in each other"),
            ));
        }
        self.eat("(");
        let part = self.all(depth + 1)?;
        if !self.eat(")") {
            return Err(invalid(
                self.at,
                &format!("expected `)` for the `(` at character {opened}"),
            ));
        }
        Ok(part)
    }

    fn comparison(&mut self) -> Result<Expr> {
        let start = self.at;
        if self.comparisons == COMPARISONS_AT_MOST {
            return Err(invalid(start, &format!("more than {COMPARISONS_AT_MOST} comparisons")));
        }
        self.comparisons += 1;
        if matches!(self.peek(), Some('"' | '\'')) {
            return Err(without_field(start));
        }
        let name = self.take(is_word);
        if name.is_empty() || value::is_keyword(name) {
            return Err(invalid(start, "expected a field or `(`"));
        }
        self.skip_blanks();
        let operator_at = self.at;
        let operator = self.operator().ok_or_else(|| match name {
            "and" | "or" | "not" => invalid(start, "AND, OR and NOT are written in capitals"),
            _ if column::find(self.columns, name).is_some() => invalid(
                operator_at,
                &format!("expected one of `= != < <= > >= :` after `{name}`"),
            ),
            _ => without_field(start),
        })?;
        let Some(column) = column::find(self.columns, name).copied() else {
            return Err(self.unknown(name, start));
        };
        if operator.compares_order()
            && (column.multi_valued
                || matches!(
                    column.kind,
                    Type::Boolean | Type::Enum(_) | Type::Name(_) | Type::Period(..)
                ))
        {
            let wanted = format!(
                "`{name}` has no order: expected `=`, `!=` or `:`, not `{}`",
                operator.symbol()
            );
            return Err(invalid(operator_at, &wanted));
        }
        self.skip_blanks();
        let value_at = self.at;
        let (text, quoted) = self.value(name)?;
        let value = value::read(column, operator, &text, quoted, value_at)?;
        Ok(Expr::Compare {
            column,
            operator,
            value,
        })
    }

    fn operator(&mut self) -> Option<Operator> {
        // Those of two characters go first, as their first character is an operator of its own.
        [
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
            Operator::NotEqual,
            Operator::Equal,
            Operator::Less,
            Operator::Greater,
            Operator::Has,
        ]
        .into_iter()
        .find(|operator| self.eat(operator.symbol()))
    }

    /// A value, and whether it stood in quotes.
    fn value(&mut self, name: &str) -> Result<(String, bool)> {
        let start = self.at;
        let read = match self.peek() {
            Some(quote @ ('"' | '\'')) => (self.quoted(quote)?, true),
            _ => (self.take(value::is_bare).to_owned(), false),
        };
        if !read.1 && (read.0.is_empty() || value::is_keyword(&read.0)) {
            return Err(invalid(
                start,
                &format!("expected a value for `{name}`; put one of other characters into quotes"),
            ));
        }
        match self.peek() {
            None | Some(')') => Ok(read),
            Some(next) if next.is_whitespace() => Ok(read),
            Some(_) => Err(invalid(
                self.at,
                &format!("expected a blank or `)` here; put the whole value of `{name}` into quotes"),
            )),
        }
    }

    /// What stands between quotes, where a backslash makes a quote or a backslash part of the value.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.at;
        let mut text = String::new();
        self.take_one();
        while let Some(character) = self.take_one() {
            match character {
                '\\' => match self.take_one() {
                    Some(escaped @ ('"' | '\'' | '\\')) => text.push(escaped),
                    _ => {
                        return Err(invalid(
                            self.at - 1,
                            "expected a quote or a backslash after the backslash",
                        ));
                    }
                },
                _ if character == quote => return Ok(text),
                _ => text.push(character),
            }
        }
        Err(invalid(
            self.at,
            &format!("expected the quote that ends the value from character {start} on"),
        ))
    }

    fn take_one(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let taken = characters.next()?;
        self.rest = characters.as_str();
        self.at += 1;
        Some(taken)
    }

    fn unknown(&self, name: &str, at: usize) -> Error {
        let name = if name.chars().count() <= WORD_AT_MOST {
            format!("`{name}`")
        } else {
            "this".to_owned()
        };
        let fields: Vec<_> = self.columns.iter().map(|column| format!("`{}`", column.name)).collect();
        let description = format!(
            "at character {at}: {name} is not a field to filter by. There are {}",
            fields.join(", ")
        );
        Error::invalid("filter", "FILTER_FIELD_UNKNOWN", description)
    }
}

/// What a field, a keyword or a word on its own is made of.
fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.')
}

/// A word on its own. It is not repeated: it may be somebody's name.
fn without_field(at: usize) -> Error {
    let wanted = "expected a field with an operator and a value; put a value with blanks into quotes";
    invalid(at, &format!("{wanted}, and look for words with the search method"))
}

/// Adds a part, or in its place its own parts where it is of the same sort.
fn flatten(parts: &mut Vec<Expr>, part: Expr, own_parts: fn(Expr) -> Result<Vec<Expr>, Expr>) {
    match own_parts(part) {
        Ok(more) => parts.extend(more),
        Err(part) => parts.push(part),
    }
}

fn one_or(mut parts: Vec<Expr>, several: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}
