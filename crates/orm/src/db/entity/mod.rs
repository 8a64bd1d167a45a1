//! The tables that every register has, whatever its resources are. Those of resources are made from what a collection
//! declares (docs/adr/0050-sea-orm.md).

pub(crate) mod ledger;
pub(crate) mod ledger_head;
pub(crate) mod requests;
pub(crate) mod settings;
