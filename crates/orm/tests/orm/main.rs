//! The ORM crate on test collections, on both databases: what every service may count on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batching;
mod body_round_trip;
mod collections;
mod concurrent_ops;
mod connection_pools;
mod filters;
mod fixture_db;
mod hidden_fields;
mod import_rows;
mod interrupted_imports;
mod invariants;
mod lock_and_disk_full;
mod locks;
mod page_byte_limit;
mod pagination;
mod random_histories;
mod read_batching;
mod reference_model;
mod reindex;
mod schema;
mod sealed;
mod search;
mod search_escaping;
mod search_index_order;
mod snapshot_consistency;
mod statistics;
mod write_queue;
