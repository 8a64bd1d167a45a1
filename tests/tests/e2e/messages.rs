//! Messages of every method, made from what the contract says of them: the largest that it allows, the heaviest that
//! the wire can carry, and random ones. Each is answered within bounds, and none is a fault of ours.

mod concurrent_large_requests;
mod contract;
mod heaviest;
mod invalid_names;
mod invalid_references;
mod largest;
mod random;
mod stream_limits;
