#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cvx_fuzz::read(cvx::input::Format::Fbin, bytes));
