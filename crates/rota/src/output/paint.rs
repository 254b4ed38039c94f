//! Colours, where they are wanted.

use std::io::IsTerminal;

use rota_api::{AppStatus, WorkerStatus};

/// A colour or weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As it is.
    Plain,
    /// Headings.
    Bold,
    /// Less important.
    Dim,
    /// Bad.
    Red,
    /// Good.
    Green,
    /// On its way.
    Yellow,
    /// Names, prefixes.
    Blue,
    /// Names, prefixes.
    Magenta,
    /// Names, prefixes.
    Cyan,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
        }
    }

    /// One of the colours for prefixes, by number.
    pub const fn nth(number: usize) -> Self {
        match number % 5 {
            0 => Self::Cyan,
            1 => Self::Green,
            2 => Self::Magenta,
            3 => Self::Yellow,
            _ => Self::Blue,
        }
    }
}

impl From<AppStatus> for Ink {
    fn from(status: AppStatus) -> Self {
        match status {
            AppStatus::Online => Self::Green,
            AppStatus::Launching | AppStatus::Reloading | AppStatus::Stopping => Self::Yellow,
            AppStatus::Errored | AppStatus::WaitingRestart => Self::Red,
            AppStatus::Stopped | AppStatus::Unknown => Self::Dim,
        }
    }
}

impl From<WorkerStatus> for Ink {
    fn from(status: WorkerStatus) -> Self {
        match status {
            WorkerStatus::Online => Self::Green,
            WorkerStatus::Launching
            | WorkerStatus::Draining
            | WorkerStatus::Stopping
            | WorkerStatus::Killing => Self::Yellow,
            WorkerStatus::Errored | WorkerStatus::WaitingRestart => Self::Red,
            WorkerStatus::Stopped | WorkerStatus::Unknown => Self::Dim,
        }
    }
}

/// Whether one output is a terminal, how wide it is, and whether it takes colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// Colours are wanted.
    pub colour: bool,
    /// It is a terminal of so many columns.
    pub columns: Option<usize>,
}

impl Paint {
    /// No colour, no terminal.
    #[cfg(test)]
    pub const PLAIN: Self = Self {
        colour: false,
        columns: None,
    };

    /// Of standard output.
    pub fn stdout(no_color: bool) -> Self {
        let stdout = std::io::stdout();
        Self::of(stdout.is_terminal(), width(&stdout), no_color)
    }

    /// Of standard error.
    pub fn stderr(no_color: bool) -> Self {
        let stderr = std::io::stderr();
        Self::of(stderr.is_terminal(), width(&stderr), no_color)
    }

    fn of(terminal: bool, columns: Option<usize>, no_color: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: terminal && !no_color && !set("NO_COLOR") && !dumb,
            columns: terminal.then_some(columns.unwrap_or(80)),
        }
    }

    /// The text in this colour, if colours are wanted.
    pub fn apply(self, ink: Ink, text: &str) -> String {
        match self.colour && ink != Ink::Plain {
            true => format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code()),
            false => text.to_owned(),
        }
    }
}

/// The width that the terminal has; a terminal that does not know says 0.
fn width(fd: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(fd).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
