//! What a running operation tells: one live line on a terminal, plain lines elsewhere.

use std::io::Write;

use rota_api::{Progress as Event, ProgressKind};

use super::paint::{Ink, Paint};
use super::text::{clean, cut};

/// Prints progress to standard error.
#[derive(Debug)]
pub struct Progress {
    paint: Paint,
    /// A live line is on the terminal.
    live: bool,
}

impl Progress {
    pub(crate) const fn new(paint: Paint) -> Self {
        Self { paint, live: false }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        let text = self.render(event);
        self.write(&text);
    }

    /// Takes the live line away.
    pub fn clear(&mut self) {
        if self.live {
            self.write("\r\u{1b}[K");
            self.live = false;
        }
    }

    fn render(&mut self, event: &Event) -> String {
        let line = line(event);
        let Some(columns) = self.paint.columns else {
            return format!("{line}\n");
        };
        // One column stays free: some terminals wrap when the last one is written.
        let text = cut(&line, columns.saturating_sub(1));
        let lasting = ink(event.kind);
        self.live = lasting.is_none();
        match lasting {
            // What matters stays on the terminal, in full.
            Some(ink) => format!("\r\u{1b}[K{}\n", self.paint.apply(ink, &line)),
            None => format!("\r\u{1b}[K{text}"),
        }
    }

    fn write(&self, text: &str) {
        // Progress that nobody reads is no reason to stop.
        let _closed = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The colour of events that stay on the terminal.
fn ink(kind: ProgressKind) -> Option<Ink> {
    match kind {
        ProgressKind::Crashed | ProgressKind::NotReady | ProgressKind::RollingBack => {
            Some(Ink::Red)
        }
        ProgressKind::RolledBack | ProgressKind::Queued | ProgressKind::Remark => Some(Ink::Yellow),
        ProgressKind::Starting
        | ProgressKind::Ready
        | ProgressKind::Observing
        | ProgressKind::Draining
        | ProgressKind::Stopping
        | ProgressKind::Stopped
        | ProgressKind::Step
        | ProgressKind::Note => None,
    }
}

fn line(event: &Event) -> String {
    let app = clean(&event.app);
    let text = clean(&event.text);
    match event.step {
        Some(step) => format!("{app} [{}/{}] {text}", step.index, step.of),
        None => format!("{app} {text}"),
    }
}

#[cfg(test)]
mod tests {
    use rota_api::Step;

    use super::*;

    fn event(kind: ProgressKind) -> Event {
        Event {
            kind,
            app: "api".into(),
            slot: Some(1),
            worker: Some(7),
            pid: Some(4711),
            step: Some(Step { index: 2, of: 4 }),
            text: "worker 1 is ready after 120ms (pid 4711)".into(),
            drained: None,
        }
    }

    #[test]
    fn a_pipe_gets_plain_lines() {
        let mut progress = Progress::new(Paint::PLAIN);
        assert_eq!(
            progress.render(&event(ProgressKind::Ready)),
            "api [2/4] worker 1 is ready after 120ms (pid 4711)\n"
        );
        assert!(!progress.live);
    }

    #[test]
    fn a_terminal_gets_one_live_line_and_what_matters_stays() {
        let paint = Paint {
            colour: true,
            columns: Some(20),
        };
        let mut progress = Progress::new(paint);
        assert_eq!(
            progress.render(&event(ProgressKind::Ready)),
            "\r\u{1b}[Kapi [2/4] worker 1…"
        );
        assert!(progress.live);
        let lasting = progress.render(&event(ProgressKind::Crashed));
        assert!(lasting.ends_with("(pid 4711)\u{1b}[0m\n"), "{lasting:?}");
        assert!(!progress.live);
    }
}
