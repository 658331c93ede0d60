//! api
pub mod model;
