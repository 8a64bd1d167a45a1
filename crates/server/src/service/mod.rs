//! The services that every server has: health and reflection.

pub mod health;
pub(crate) mod reflection;
