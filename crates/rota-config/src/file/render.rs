//! Problems as text, with the line of the file and a mark.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::problem::Problem;

/// How problems are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// Longer lines are cut around the mark.
    pub columns: usize,
}

/// A problem with the line of the file and a mark. `name` is the file as the user calls it.
pub fn render(name: &str, text: &str, problem: &Problem, style: Style) -> String {
    let clean = |text: &str| text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
    let mark = |kind: AnnotationKind, at: &std::ops::Range<usize>, label: Option<&str>| {
        let mark: Annotation<'_> = kind.span(within(text, at));
        mark.label(label.map(clean))
    };
    // The renderer shows the control characters of ASCII, and not these. In the place of two bytes, two bytes.
    let source = text.replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "\u{bf}");
    let mut snippet = Snippet::source(source).path(clean(name)).annotation(mark(
        AnnotationKind::Primary,
        &problem.at,
        problem.label.as_deref(),
    ));
    for (at, label) in &problem.also {
        snippet = snippet.annotation(mark(AnnotationKind::Context, at, Some(label)));
    }
    let mut group: Group<'_> = Level::ERROR
        .primary_title(clean(&problem.message))
        .element(snippet);
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    let renderer = match style.colour {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    renderer.term_width(style.columns.max(40)).render(&[group])
}

/// The place in the text, at whole characters.
fn within(text: &str, at: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    let down = |byte: usize| text.floor_char_boundary(byte.min(text.len()));
    let start = down(at.start);
    start..text.ceil_char_boundary(at.end.min(text.len())).max(start)
}
