//! Any text is a Python file: it is read without panic, and every line of its summary can be quoted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tradewind_repo::python::SourceFile;

fuzz_target!(|text: &str| {
    let file = SourceFile::parse("x.py", text);
    for call in &file.module.calls {
        assert!(call.line >= 1 && call.line <= file.module.lines.max(1));
        let _ = file.quote(call.line);
    }
});
