#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| targets::values(octets));
