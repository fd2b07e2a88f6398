//! What callers see: the services of `lienthong.v1`, health and reflection.

mod acts;
pub(crate) mod desk;
pub(crate) mod dossier_service;
pub(crate) mod inbox;
pub(crate) mod lists;
pub(crate) mod node_service;
pub(crate) mod parse;
pub(crate) mod perform;
pub(crate) mod quarantine;
pub(crate) mod recovery;
pub mod refusal;
pub(crate) mod refused_layer;
pub(crate) mod server;
pub(crate) mod shape;
pub mod texts;
pub(crate) mod trace_layer;
pub(crate) mod trail;
