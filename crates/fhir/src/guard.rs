//! The strict pass in front of every parser.
