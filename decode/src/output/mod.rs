//! Finished sessions as others read them: JSON documents and Arrow tables.

#[cfg(feature = "python")]
pub mod arrow;
pub mod json;
#[cfg(feature = "python")]
pub mod parquet;
