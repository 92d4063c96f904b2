fn main() {
    napi_build::setup();
    // The migrations are embedded: a new file must rebuild the crate.
    println!("cargo:rerun-if-changed=src/migrations");
}
