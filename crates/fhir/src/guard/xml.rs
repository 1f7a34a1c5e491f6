//! XML tokens.
