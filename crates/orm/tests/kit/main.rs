//! The kit on toy collections, on both databases: what every service may count on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod bodies;
mod collections;
mod figures;
mod filters;
mod ground;
mod history;
mod import_rows;
mod imports;
mod indexed;
mod lanes;
mod large;
mod locks;
mod model;
mod moments;
mod pages;
mod places;
mod renewed;
mod room;
mod schema;
mod sealed;
mod search;
mod shared_reads;
mod sharing;
mod waves;
mod writers;
