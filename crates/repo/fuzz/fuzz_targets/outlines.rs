//! Any text is a script, a Rust file or a notebook: it is read without panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tradewind_repo::outlines::{Notebook, imports};

fuzz_target!(|text: &str| {
    let _ = imports("x.ts", text);
    let _ = imports("x.rs", text);
    if let Some(notebook) = Notebook::read("x.ipynb", text) {
        let _ = notebook.place(1);
    }
});
