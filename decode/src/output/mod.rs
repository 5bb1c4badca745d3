//! Finished sessions as others read them: JSON documents, bodies of them for a cluster, and tables.

#[cfg(feature = "python")]
pub mod arrow;
pub mod bulk;
pub mod json;
#[cfg(feature = "python")]
pub mod parquet;
