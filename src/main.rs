//! The program: hands over to the command line.

fn main() -> std::process::ExitCode {
    partywall::cli::main()
}
