//! The program `throughline`: configuration, wiring and commands. Rules live in the crates below.
//!
//! Start with `args` (what can be asked), then `app` (what a command is given), then the command in `commands`.

mod app;
mod args;
mod certs;
mod commands;
mod console;
mod control;
mod generate;
mod keys;
mod private;
mod scratch;
mod settings;
mod signing;
mod stamping;
mod system;
mod telemetry;
mod web;

use std::process::ExitCode;

use clap::Parser as _;

/// A history or a document is many small pieces: a tenth of the time that drawing one took was spent in the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    system::start_logging(&args.log);
    if let Err(error) = system::arm_crash_point() {
        console::error(&error);
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console::error(&anyhow::Error::new(error).context("cannot start the runtime"));
            return ExitCode::from(1);
        }
    };
    let ended = runtime.block_on(commands::run(args));
    telemetry::end();
    match ended.and_then(|outcome| {
        system::write_crash_counts()?;
        Ok(outcome)
    }) {
        Ok(outcome) => ExitCode::from(outcome as u8),
        Err(error) => {
            console::error(&error);
            ExitCode::from(if error.is::<commands::Usage>() { 2 } else { 1 })
        }
    }
}
