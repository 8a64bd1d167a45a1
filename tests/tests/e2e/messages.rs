//! Messages of every method, made from what the contract says of them: the largest that it allows, the heaviest that the wire
//! can carry, and random ones. Each is answered within bounds, and none is a fault of ours.

mod cited;
mod contract;
mod heaviest;
mod largest;
mod many;
mod random;
mod references;
mod streams;
