//! The room on real files and a real journal.

mod store;
