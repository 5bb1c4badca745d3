#![no_main]

use std::sync::LazyLock;

/// Which of them, by name; without it each input chooses.
static NAME: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("HAYRICK_FUZZ").ok());

libfuzzer_sys::fuzz_target!(|data: &[u8]| hayrick_decode::fuzzing::protocol(NAME.as_deref(), data));
