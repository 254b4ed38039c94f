//! Datagrams into notifications. The names and their meaning are those of sd_notify(3).

use std::time::Duration;

/// The longest datagram that is read, as in systemd. A longer one is ignored.
pub const MAX_DATAGRAM: usize = 4096;
/// How much of a status is kept, in characters: it is shown in one line.
const MAX_STATUS: usize = 512;

/// Something that a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// `READY=1`: it serves; or it has finished reloading.
    Ready,
    /// `STOPPING=1`: it is about to end by itself.
    Stopping,
    /// `RELOADING=1`: it reads its configuration anew; `READY=1` follows.
    Reloading,
    /// `STATUS=`: one line for people. Without control characters, and of limited length.
    Status(String),
    /// `ERRNO=`: why it failed.
    Errno(i32),
    /// `MAINPID=`: the process that matters. A claim: it need not be a process of this worker.
    MainPid(u32),
    /// `WATCHDOG=1`: it is alive.
    Watchdog,
    /// `WATCHDOG=trigger`: it has found that it is not well.
    WatchdogTrigger,
    /// `WATCHDOG_USEC=`: from now on `WATCHDOG=1` comes at least this often. `Duration::MAX`: no
    /// longer at all.
    WatchdogInterval(Duration),
    /// `EXTEND_TIMEOUT_USEC=`: starting or stopping takes this much longer, counted from now.
    ExtendTimeout(Duration),
}

/// Reads one datagram. Lines that are unknown or make no sense are ignored, as by systemd.
pub fn parse(datagram: &[u8]) -> Vec<Notification> {
    datagram
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let equals = line.iter().position(|&byte| byte == b'=')?;
            assignment(&line[..equals], &line[equals + 1..])
        })
        .collect()
}

fn assignment(key: &[u8], value: &[u8]) -> Option<Notification> {
    match (key, value) {
        (b"READY", b"1") => Some(Notification::Ready),
        (b"STOPPING", b"1") => Some(Notification::Stopping),
        (b"RELOADING", b"1") => Some(Notification::Reloading),
        (b"STATUS", _) => Some(Notification::Status(status(value))),
        (b"ERRNO", _) => number(value)
            .and_then(|errno| i32::try_from(errno).ok())
            .map(Notification::Errno),
        (b"MAINPID", _) => number(value)
            .and_then(|pid| i32::try_from(pid).ok())
            .filter(|&pid| pid > 0)
            .map(|pid| Notification::MainPid(pid.cast_unsigned())),
        (b"WATCHDOG", b"1") => Some(Notification::Watchdog),
        (b"WATCHDOG", b"trigger") => Some(Notification::WatchdogTrigger),
        (b"WATCHDOG_USEC", _) => number(value).map(|micros| {
            Notification::WatchdogInterval(match micros {
                // systemd's way to say "off" and "infinite".
                0 | u64::MAX => Duration::MAX,
                micros => Duration::from_micros(micros),
            })
        }),
        (b"EXTEND_TIMEOUT_USEC", _) => {
            number(value).map(|micros| Notification::ExtendTimeout(Duration::from_micros(micros)))
        }
        // BARRIER=1 wants its descriptor closed, FDSTORE=1 wants one kept; we close all of them.
        _ => None,
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    plain.then_some(())?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn status(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_STATUS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Notification::*;

    #[test]
    fn what_programs_say() {
        let micros = Duration::from_micros;
        let table: &[(&[u8], &[Notification])] = &[
            (b"READY=1", &[Ready]),
            (b"READY=1\n", &[Ready]),
            (b"\n\nREADY=1\n\n", &[Ready]),
            (b"STOPPING=1", &[Stopping]),
            (
                b"RELOADING=1\nMONOTONIC_USEC=12345\nREADY=1",
                &[Reloading, Ready],
            ),
            (b"STATUS=", &[Status(String::new())]),
            (b"STATUS=a=b c", &[Status("a=b c".into())]),
            (b"STATUS=\x1b[31mx\ty\x00", &[Status(" [31mx y ".into())]),
            (b"STATUS=\xff\xfe", &[Status("\u{fffd}\u{fffd}".into())]),
            (b"ERRNO=2", &[Errno(2)]),
            (b"MAINPID=4711\nREADY=1", &[MainPid(4711), Ready]),
            (b"WATCHDOG=1", &[Watchdog]),
            (b"WATCHDOG=trigger", &[WatchdogTrigger]),
            (
                b"WATCHDOG_USEC=20000000",
                &[WatchdogInterval(micros(20_000_000))],
            ),
            (b"WATCHDOG_USEC=0", &[WatchdogInterval(Duration::MAX)]),
            (
                b"WATCHDOG_USEC=18446744073709551615",
                &[WatchdogInterval(Duration::MAX)],
            ),
            (b"EXTEND_TIMEOUT_USEC=5", &[ExtendTimeout(micros(5))]),
            (b"BARRIER=1", &[]),
            (b"FDSTORE=1\nFDNAME=x", &[]),
        ];
        for (datagram, expected) in table {
            assert_eq!(parse(datagram), *expected, "{}", datagram.escape_ascii());
        }
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        for datagram in [
            "",
            "=",
            "=1",
            "READY",
            "READY=",
            "READY=0",
            "READY=11",
            " READY=1",
            "READY=1 ",
            "ready=1",
            "READY=1\r",
            "MAINPID=0",
            "MAINPID=-1",
            "MAINPID=+1",
            "MAINPID=2147483648",
            "MAINPID=1x",
            "MAINPID=99999999999999999999999",
            "ERRNO=-2",
            "ERRNO=4294967296",
            "WATCHDOG=2",
            "WATCHDOG_USEC=",
            "WATCHDOG_USEC=1.5",
            "WATCHDOG_USEC=18446744073709551616",
            "EXTEND_TIMEOUT_USEC=x",
        ] {
            assert_eq!(parse(datagram.as_bytes()), [], "{datagram:?}");
        }
    }

    #[test]
    fn a_status_has_a_limit() {
        let datagram = format!("STATUS={}", "ü".repeat(2000));
        let [Status(status)] = &parse(datagram.as_bytes())[..] else {
            unreachable!("one status");
        };
        assert_eq!(status.chars().count(), MAX_STATUS);
    }

    /// Generated garbage: pieces of real datagrams in any order, with random bytes between.
    #[test]
    fn garbage_gives_only_clean_notifications() {
        let words: &[&[u8]] = &[
            b"READY=1",
            b"STATUS=",
            b"MAINPID=",
            b"WATCHDOG_USEC=",
            b"ERRNO=",
            b"\n",
            b"=",
            b"\0",
            b"99999999999",
            b"7",
            b"\xf0\x9f",
            b"trigger",
        ];
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let mut datagram = Vec::new();
            for _ in 0..random() % 12 {
                match random() % 4 {
                    0 => datagram.extend(random().to_le_bytes()),
                    _ => {
                        let index = usize::try_from(random() % words.len() as u64).unwrap();
                        datagram.extend_from_slice(words[index]);
                    }
                }
            }
            let lines = datagram.split(|&byte| byte == b'\n').count();
            let notifications = parse(&datagram);
            assert!(notifications.len() <= lines);
            for notification in notifications {
                match notification {
                    Status(text) => assert!(!text.contains(char::is_control)),
                    MainPid(pid) => assert!(i32::try_from(pid).unwrap() > 0),
                    Errno(errno) => assert!(errno >= 0),
                    _ => {}
                }
            }
        }
    }
}
