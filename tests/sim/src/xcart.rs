//! An X-Cart 5.5 shop.
