//! What starts an app anew without need, for `rota describe`.

use rota_api::{CronView, RenewalView, WatchView};

use super::sheet::Sheet;
use crate::output::{since, span};

pub(super) fn tell(sheet: &mut Sheet, renewal: &RenewalView) {
    if let Some(watch) = &renewal.watch {
        sheet.row("watched", watched(watch));
        if let Some(trouble) = &watch.trouble {
            sheet.row("", trouble);
        }
    }
    if let Some(cron) = &renewal.cron {
        sheet.row("at times", times(cron));
    }
    if let Some(last) = &renewal.last {
        sheet.row(
            "started anew",
            format!("{} ago: {}", since(last.at), last.why),
        );
    }
}

fn watched(watch: &WatchView) -> String {
    let mut text = watch.paths.join(", ");
    match watch.folders {
        Some(1) => text.push_str(" (1 folder)"),
        Some(folders) => text.push_str(&format!(" ({folders} folders)")),
        None => {}
    }
    if !watch.ignore.is_empty() {
        text.push_str(&format!(", but not {}", watch.ignore.join(" ")));
    }
    format!(
        "{text}: {} {} after a change",
        watch.action,
        span(watch.delay_ms)
    )
}

fn times(cron: &CronView) -> String {
    let zone = cron
        .zone
        .as_ref()
        .map_or(String::new(), |zone| format!(" ({zone})"));
    let next = match (&cron.trouble, &cron.next) {
        (Some(trouble), _) => format!("not kept: {trouble}"),
        (None, Some(next)) => format!("next {next}"),
        (None, None) => "not while it is stopped".to_owned(),
    };
    format!("{}{zone}: {}, {next}", cron.schedule, cron.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_words() {
        let watch = WatchView {
            paths: vec!["/srv/api/src".into(), "/srv/api/x.json".into()],
            ignore: vec!["*.md".into()],
            delay_ms: 200,
            action: "reload".into(),
            folders: Some(12),
            trouble: None,
        };
        assert_eq!(
            watched(&watch),
            "/srv/api/src, /srv/api/x.json (12 folders), but not *.md: reload 200ms after a change"
        );
        let mut cron = CronView {
            schedule: "0 3 * * *".into(),
            zone: Some("Europe/Berlin".into()),
            action: "restart".into(),
            ..CronView::default()
        };
        assert_eq!(
            times(&cron),
            "0 3 * * * (Europe/Berlin): restart, not while it is stopped"
        );
        cron.next = Some("Sun 2026-11-22 03:00 CET".into());
        assert!(times(&cron).ends_with("restart, next Sun 2026-11-22 03:00 CET"));
    }
}
