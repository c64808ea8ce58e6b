//! One misuse of each option.

#[weftline::test(workers = 0)]
async fn no_worker() {}

#[weftline::test(workers = "2")]
async fn workers_in_words() {}

#[weftline::test(virtual_time = true)]
async fn a_flag_with_a_value() {}

#[weftline::test(deterministic, seed = -1)]
async fn a_seed_below_zero() {}

#[weftline::test(seeds)]
async fn without_a_number() {}

#[weftline::test(seed = 1, seed = 2)]
async fn twice() {}

#[weftline::main(seeds = 2)]
async fn main() {}
