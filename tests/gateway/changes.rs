//! changes.
