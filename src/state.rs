//! Keeps run states.
