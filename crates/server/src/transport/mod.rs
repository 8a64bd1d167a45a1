//! Connections: accepting them, their frames, who has how many, and the bodies of answers as they are sent.

pub(crate) mod accept;
pub(crate) mod connection_counter;
pub(crate) mod connection_service;
pub(crate) mod cut;
pub(crate) mod frames;
pub(crate) mod response_body;
pub(crate) mod waiting_calls;
pub(crate) mod writing;
