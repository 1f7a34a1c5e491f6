//! In-memory matching.
