//! Names and numbers of signals.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A signal, by its number on this machine (1 to 64).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

/// Not a signal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a signal; use a name such as SIGTERM or USR2, or a number from 1 to 64")]
pub struct BadSignal(pub String);

const NAMES: [(&str, i32); 33] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
    // Second names; the first one of a number is the one that is printed.
    ("POLL", libc::SIGIO),
    ("IOT", libc::SIGABRT),
];

/// The first real-time signal as programs count them: the C library keeps 32 and 33 for itself.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

impl Signal {
    /// SIGURG.
    pub const URG: Self = Self(libc::SIGURG);
    /// SIGHUP.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// SIGINT.
    pub const INT: Self = Self(libc::SIGINT);
    /// SIGQUIT.
    pub const QUIT: Self = Self(libc::SIGQUIT);
    /// SIGKILL.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// SIGUSR1.
    pub const USR1: Self = Self(libc::SIGUSR1);
    /// SIGUSR2.
    pub const USR2: Self = Self(libc::SIGUSR2);
    /// SIGTERM.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// SIGCHLD.
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// SIGCONT.
    pub const CONT: Self = Self(libc::SIGCONT);
    /// SIGSTOP.
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// SIGTTIN.
    pub const TTIN: Self = Self(libc::SIGTTIN);
    /// SIGTTOU.
    pub const TTOU: Self = Self(libc::SIGTTOU);

    /// A signal by its number, 1 to 64.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=RTMAX).contains(&number).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// `SIGUSR2`, `SIGRTMIN+1`, or `signal 33` for what has no name.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None if self.0 == RTMIN => write!(f, "SIGRTMIN"),
            None if self.0 > RTMIN => write!(f, "SIGRTMIN+{}", self.0 - RTMIN),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads `SIGUSR2`, `usr2`, `12`, `RTMIN+3` or `SIGRTMAX-1`.
impl FromStr for Signal {
    type Err = BadSignal;

    fn from_str(text: &str) -> Result<Self, BadSignal> {
        let bad = || BadSignal(text.to_owned());
        let upper = text.trim().to_ascii_uppercase();
        if !upper.is_empty() && upper.bytes().all(|byte| byte.is_ascii_digit()) {
            return upper
                .parse()
                .ok()
                .and_then(Self::from_number)
                .ok_or_else(bad);
        }
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Self(*number));
        }
        real_time(name).map(Self).ok_or_else(bad)
    }
}

fn real_time(name: &str) -> Option<i32> {
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        _ => rest.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let number = match name.strip_prefix("RTMIN") {
        Some(rest) => RTMIN + offset(rest, '+')?,
        None => RTMAX - offset(name.strip_prefix("RTMAX")?, '-')?,
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let table = [
            ("SIGUSR2", libc::SIGUSR2),
            ("usr2", libc::SIGUSR2),
            ("12", 12),
            (" sigTERM ", libc::SIGTERM),
            ("POLL", libc::SIGIO),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("64", 64),
        ];
        for (text, number) in table {
            assert_eq!(
                text.parse::<Signal>().map(Signal::number),
                Ok(number),
                "{text}"
            );
        }
        for text in [
            "",
            "0",
            "65",
            "SIG",
            "SIGFOO",
            "-9",
            "99999999999",
            "RTMIN+31",
            "RTMAX-31",
            "RTMIN-1",
            "9x",
        ] {
            let error = text.parse::<Signal>().unwrap_err();
            assert!(error.to_string().contains("SIGTERM or USR2"), "{text}");
        }
    }

    #[test]
    fn every_number_prints_as_something_that_reads_back() {
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            if let Ok(again) = signal.to_string().parse::<Signal>() {
                assert_eq!(again, signal);
            } else {
                assert!((32..=33).contains(&number));
            }
        }
        assert_eq!(Signal::USR2.to_string(), "SIGUSR2");
        assert_eq!(Signal::from_number(6).unwrap().to_string(), "SIGABRT");
    }
}
