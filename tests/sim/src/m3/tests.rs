//! Stories of an M3, told over HTTP.

mod client;
mod finance;
mod money;
mod orders;
mod outside;
mod rest;
mod shipping;
