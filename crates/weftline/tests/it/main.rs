//! What a user sees of the runtime, one module per subject, in one binary.

#[expect(unsafe_code, reason = "a global allocator that counts")]
mod counting;
mod eager;
mod join;
mod local;
mod nested;
mod probe;
mod rig;
mod spawn;
mod time;
