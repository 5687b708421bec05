//! Compiles the crate again when a migration is added or removed. The compiler only watches files it has read before.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
