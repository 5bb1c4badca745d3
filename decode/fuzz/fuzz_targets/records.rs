#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hayrick_decode::fuzzing::records(data));
