//! Sealing personal data: a data key for each record, wrapped by the master key; a keyed blind index to find by.
//!
//! A sealed part is `version, master key id (8), nonce (24), wrapped data key (48), nonce (24), cipher text`, all
//! XChaCha20-Poly1305 and bound to the record's id. To destroy a record's sealed part is to forget the person's data.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use data_encoding::{BASE32HEX_NOPAD, HEXLOWER};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::error::{Class, Error, Result};

const VERSION: u8 = 1;
const MASTER_ID: usize = 8;
const NONCE: usize = 24;
const WRAPPED: usize = 32 + 16;

/// The master keys of a register. The first seals; all of them open, so that a new one can be put before the old.
pub struct Vault {
    masters: Vec<([u8; MASTER_ID], XChaCha20Poly1305)>,
    blind: [u8; 32],
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// A vault from a key file's text: one key of 64 hexadecimal digits a line, the current one first. The blind index
    /// stays with the last line, the oldest key.
    pub fn from_text(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(
                Class::Invalid,
                "MASTER_KEY_INVALID",
                format!("the master key file: {what}"),
            )
        };
        let mut keys = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let bytes = HEXLOWER
                .decode(line.as_bytes())
                .map_err(|_| wrong("expected 64 hexadecimal digits a line"))?;
            keys.push(<[u8; 32]>::try_from(bytes).map_err(|_| wrong("expected 64 hexadecimal digits a line"))?);
        }
        let oldest = keys.last().ok_or_else(|| wrong("it holds no key"))?;
        let masters = keys
            .iter()
            .map(|key| (id(key), XChaCha20Poly1305::new(key.into())))
            .collect();
        Ok(Self {
            masters,
            blind: derive(oldest, b"mingce blind index"),
        })
    }

    /// A new key file's text.
    pub fn new_text() -> String {
        format!("{}\n", HEXLOWER.encode(&rand::random::<[u8; 32]>()))
    }

    /// What tells this vault's blind index from another's, without telling the key.
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&derive(&self.blind, b"mingce fingerprint")[..8])
    }

    /// The blind index of a value: equal for equal values, and nothing can be read from it without the key.
    pub(crate) fn blind(&self, space: &str, value: &str) -> String {
        let digest = derive(&self.blind, format!("{space}\0{value}").as_bytes());
        BASE32HEX_NOPAD.encode(&digest[..20]).to_lowercase()
    }

    /// A keyed digest: equal for equal bytes, and nobody without the key can try what they were.
    pub(crate) fn digest(&self, space: &str, bytes: &[u8]) -> Vec<u8> {
        let key = derive(&self.blind, format!("mingce digest {space}").as_bytes());
        derive(&key, bytes).to_vec()
    }

    /// What tells the key that seals from the others of the file, without telling it.
    pub fn sealing_key(&self) -> String {
        self.masters
            .first()
            .map_or(String::new(), |(id, _)| HEXLOWER.encode(id))
    }

    /// Whether the key file has the key of this [`Vault::sealing_key`].
    pub fn has_key(&self, id: &str) -> bool {
        self.masters.iter().any(|(known, _)| HEXLOWER.encode(known) == id)
    }

    /// Seals a record's private part under a data key of its own.
    pub(crate) fn seal(&self, owner: &str, part: &[u8]) -> Result<Vec<u8>> {
        let (master_id, master) = self
            .masters
            .first()
            .ok_or_else(|| Error::internal("a vault without keys"))?;
        let data_key: [u8; 32] = rand::random();
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(master_id);
        for (cipher, message) in [
            (master, data_key.as_slice()),
            (&XChaCha20Poly1305::new((&data_key).into()), part),
        ] {
            let nonce: [u8; NONCE] = rand::random();
            let text = cipher.encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: message,
                    aad: owner.as_bytes(),
                },
            );
            sealed.extend_from_slice(&nonce);
            sealed.extend(text.map_err(|_| Error::internal("sealing failed"))?);
        }
        Ok(sealed)
    }

    /// Opens what [`Vault::seal`] made for the same owner.
    pub(crate) fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let fault = |what: &str| Error::internal(format!("the sealed part of {owner}: {what}"));
        let (head, rest) = sealed
            .split_at_checked(1 + MASTER_ID)
            .ok_or_else(|| fault("too short"))?;
        if head[0] != VERSION {
            return Err(fault("of an unknown version"));
        }
        let master = self.masters.iter().find(|(id, _)| id.as_slice() == &head[1..]);
        let (_, master) = master.ok_or_else(|| fault("its master key is not in the key file"))?;
        let (wrapped, rest) = rest
            .split_at_checked(NONCE + WRAPPED)
            .ok_or_else(|| fault("too short"))?;
        let data_key = decrypt(master, owner, wrapped).ok_or_else(|| fault("its data key does not open"))?;
        let data_key = <[u8; 32]>::try_from(data_key).map_err(|_| fault("its data key is malformed"))?;
        decrypt(&XChaCha20Poly1305::new((&data_key).into()), owner, rest).ok_or_else(|| fault("it does not open"))
    }
}

fn decrypt(cipher: &XChaCha20Poly1305, owner: &str, text: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = text.split_at_checked(NONCE)?;
    let nonce = <[u8; NONCE]>::try_from(nonce).ok()?;
    cipher
        .decrypt(
            &XNonce::from(nonce),
            Payload {
                msg: text,
                aad: owner.as_bytes(),
            },
        )
        .ok()
}

fn id(key: &[u8; 32]) -> [u8; MASTER_ID] {
    let mut id = [0; MASTER_ID];
    id.copy_from_slice(&Sha256::digest([b"mingce master key id".as_slice(), key].concat())[..MASTER_ID]);
    id
}

fn derive(key: &[u8; 32], label: &[u8]) -> [u8; 32] {
    let mut mac = match <Hmac<Sha256> as KeyInit>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(never) => unreachable!("HMAC takes a key of any length: {never}"),
    };
    mac.update(label);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_part_opens_for_its_owner_only() -> Result<()> {
        let vault = Vault::from_text(&Vault::new_text())?;
        let sealed = vault.seal("01a", b"11010519491231002X")?;
        assert_eq!(vault.open("01a", &sealed)?, b"11010519491231002X");
        assert!(vault.open("01b", &sealed).is_err());
        assert!(!sealed.windows(6).any(|w| w == b"110105"));
        let mut touched = sealed;
        let last = touched.len() - 1;
        touched[last] ^= 1;
        assert!(vault.open("01a", &touched).is_err());
        Ok(())
    }

    #[test]
    fn an_old_master_key_still_opens_and_the_blind_index_stays() -> Result<()> {
        let (old, new) = (Vault::new_text(), Vault::new_text());
        let before = Vault::from_text(&old)?;
        let after = Vault::from_text(&format!("{new}{old}"))?;
        assert_eq!(after.open("01a", &before.seal("01a", b"x")?)?, b"x");
        assert_eq!(before.blind("document", "1"), after.blind("document", "1"));
        assert_eq!(before.fingerprint(), after.fingerprint());
        assert_ne!(Vault::from_text(&new)?.fingerprint(), after.fingerprint());
        assert!(before.open("01a", &after.seal("01a", b"x")?).is_err());
        Ok(())
    }

    #[test]
    fn a_key_file_that_is_none_is_refused() {
        for text in ["", "\n", "abc", "zz", &"0".repeat(63)] {
            assert_eq!(
                Vault::from_text(text).err().map(|e| e.reason()),
                Some("MASTER_KEY_INVALID"),
                "{text:?}"
            );
        }
    }
}
