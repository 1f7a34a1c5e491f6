//! Tokens whose signature was found right, so that it is not computed again for every request: by ES384 that takes
//! longer than all the rest of a read. It is a fact about bytes and keys and stays one; whether the token is taken is decided
//! anew each time: by its claims, the time, the issuer's settings and the client.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::source::Keys;

/// Tokens remembered at most; then all are forgotten, and checked again when they come.
const TOKENS_REMEMBERED: usize = 10_000;

/// SHA-256 of a whole token.
pub type TokenDigest = [u8; 32];

/// Whose signature was right, by which keys.
#[derive(Default)]
pub struct Verified {
    tokens: Mutex<HashMap<TokenDigest, u64>>,
}

impl Verified {
    /// Of a whole token, signature included.
    pub fn digest(token: &str) -> TokenDigest {
        Sha256::digest(token.as_bytes()).into()
    }

    /// Whether the signature was found right by exactly these keys: one by keys that were replaced is checked again.
    pub fn knows(&self, token: &TokenDigest, keys: &Keys) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token) == Some(&keys.number)
    }

    /// Notes one that was found right.
    pub fn remember(&self, token: TokenDigest, keys: &Keys) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= TOKENS_REMEMBERED {
            tokens.clear();
        }
        tokens.insert(token, keys.number);
    }
}
