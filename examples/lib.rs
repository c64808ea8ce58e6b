//! Programs written with weftline; each file beside this one is one program.
