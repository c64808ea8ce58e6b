//! Nothing is built: a package that says `links` must have a build script.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
