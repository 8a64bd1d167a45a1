//! The version of what is made of texts and then stored: folded names, search tokens, readings, sort keys, and places.
//!
//! Tables and indexes hold it, and SQLite's index is changed by saying once more what it holds. So a program that makes something else of
//! the same text must not write to a register that was written with this.

/// Raised when what is made of any text changes; [`crate::migration::renew`] then makes all indexes and sort keys anew from the records, with
/// `mingce migrate`, and notes the new version.
pub(crate) const VERSION: &str = "3";

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use sha2::{Digest, Sha256};

    use super::super::{fold, order_code, sort_key, tokens};

    /// Of [`VERSION`](super::VERSION) 3.
    const DIGEST: &str = "b40348266020196cad62e681c55dfc780c6195542b23586c4fe0fef3a7c6d104";

    /// Planes with characters, or that may get some: between them and after them there are none, or private ones.
    const PLANES: [u32; 5] = [0, 1, 2, 3, 14];

    #[test]
    fn what_is_made_of_each_character_is_what_registers_hold_already() {
        let mut digest = Sha256::new();
        let mut take = |text: &str| {
            digest.update(text.as_bytes());
            digest.update([0]);
        };
        let characters = PLANES
            .into_iter()
            .flat_map(|plane| (plane << 16)..((plane + 1) << 16))
            .filter_map(char::from_u32);
        let mut text = String::new();
        for character in characters {
            text.clear();
            text.extend(['a', character, 'b']);
            take(&fold(&text));
            text.clear();
            text.push(character);
            let key = sort_key(&text);
            take(&order_code(&key).to_string());
            take(&key);
            for token in tokens([text.as_str()]).sorted() {
                take(token);
            }
        }
        assert_eq!(
            HEXLOWER.encode(&digest.finalize()),
            DIGEST,
            "a dependency, or Rust itself, makes something else of texts than what registers hold: raise text::version::VERSION, \
             so that `mingce migrate` makes all search indexes and sort keys anew from the records, and then put the new digest here"
        );
    }
}
