//! An Infor M3.
