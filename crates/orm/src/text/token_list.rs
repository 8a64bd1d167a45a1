//! Lists of tokens.

/// Words of other scripts are cut at this many characters.
pub(super) const WORD_CHARS: usize = 64;

/// Tokens, one behind the other in one text: each name has some dozens, and is taken apart for each write.
#[derive(Debug, Default)]
pub struct Tokens {
    text: String,
    ends: Vec<usize>,
}

impl Tokens {
    /// Adds one, character by character.
    pub fn add(&mut self, token: impl IntoIterator<Item = char>) {
        self.text.extend(token);
        self.ends.push(self.text.len());
    }

    /// Adds one.
    pub fn add_text(&mut self, token: &str) {
        self.text.push_str(token);
        self.ends.push(self.text.len());
    }

    /// Each of them once, in their order.
    pub fn sorted(&self) -> Vec<&str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        let parts = starts.zip(&self.ends);
        let mut tokens: Vec<&str> = parts.filter_map(|(start, end)| self.text.get(*start..*end)).collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }
}
