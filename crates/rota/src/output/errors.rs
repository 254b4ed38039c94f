//! The one place where errors are printed.

use std::fmt::Write as _;
use std::io::Write as _;

use super::paint::{Ink, Paint};
use super::text::clean;
use crate::failure::Failure;

/// Prints a failure to standard error: what, why, further lines, what to do.
pub fn print_failure(failure: &Failure, paint: Paint) {
    let text = render(failure, paint);
    // Nothing is left to tell it to.
    let _closed = std::io::stderr().lock().write_all(text.as_bytes());
}

fn render(failure: &Failure, paint: Paint) -> String {
    let mut text = format!(
        "{} {}\n",
        paint.apply(Ink::Red, "error:"),
        clean(&failure.message)
    );
    for cause in &failure.causes {
        let _ok = writeln!(text, "  because: {}", clean(cause));
    }
    for line in &failure.detail {
        let _ok = writeln!(text, "  {} {}", paint.apply(Ink::Dim, "|"), clean(line));
    }
    if let Some(hint) = &failure.hint {
        let _ok = writeln!(text, "{} {}", paint.apply(Ink::Cyan, "hint:"), clean(hint));
    }
    text
}

#[cfg(test)]
mod tests {
    use rota_api::ExitCode;

    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let mut failure = Failure::new(ExitCode::Failed, "api: worker 0 crashed")
            .because(&std::io::Error::other("exit code 1"))
            .hint("rota logs api");
        failure.detail = vec!["TypeError: x\u{1b}[2J is not a function".into()];
        assert_eq!(
            render(&failure, Paint::PLAIN),
            "error: api: worker 0 crashed\n  because: exit code 1\n  \
             | TypeError: x\\u{1b}[2J is not a function\nhint: rota logs api\n"
        );
        let colour = Paint {
            colour: true,
            columns: None,
        };
        assert!(render(&failure, colour).starts_with("\u{1b}[31merror:\u{1b}[0m api"));
    }
}
