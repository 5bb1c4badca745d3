//! Hayrick's decoder: a capture's bytes to sessions, their fields and their packets' places.
//!
//! The bytes are hostile. Nothing here panics on them, and `limits` bounds what they can make it hold.

#![cfg_attr(not(feature = "python"), forbid(unsafe_code))]
#![deny(unsafe_code)]

pub mod capture;
pub mod catalogue;
pub mod enrichment;
pub mod field;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod layers;
pub mod limits;
pub mod output;
pub mod pipeline;
pub mod protocol;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod python_enrichment;
#[cfg(feature = "python")]
mod python_file;
#[cfg(feature = "python")]
mod python_records;
#[cfg(feature = "python")]
mod python_streams;
pub mod records;
pub mod secrets;
pub mod session;
pub mod streams;
pub mod values;
