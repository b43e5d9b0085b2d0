//! Links the program of a release at a fixed address on Linux.
//!
//! Why: a program that may lie anywhere is corrected at a hundred thousand places before `main`, at every
//! commit again. `docs/decisions/0021-fixed-address.md` says what that costs and what is given up.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
    {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
