//! The program: arguments, dispatch, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    voxgw::cli::main()
}
