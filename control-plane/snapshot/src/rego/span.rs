//! Places in a source, with the quotes of strings.
//!
//! The span of a string is what stands between its quotes, and what ends with a
//! string ends before the last one.

use regorus::unstable::Span;

/// Where a span begins, an opening quote included.
pub(crate) fn start(span: &Span) -> usize {
    let start = span.start as usize;
    match start.checked_sub(1) {
        Some(before) if is_quote(span, before) => before,
        _ => start,
    }
}

/// The column of a span's start, from 1: the engine counts a tab as four, and
/// editors and OPA count it as one.
pub(crate) fn column(span: &Span) -> u32 {
    let before = span
        .source
        .contents()
        .get(..start(span))
        .unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    u32::try_from(line.chars().count()).map_or(u32::MAX, |count| count.saturating_add(1))
}

/// Where a span ends, a closing quote included.
pub(crate) fn end(span: &Span) -> usize {
    end_at(span, span.end)
}

/// The same of a place in the source of a span.
pub(crate) fn end_at(span: &Span, end: u32) -> usize {
    let end = end as usize;
    match is_quote(span, end) {
        true => end + 1,
        false => end,
    }
}

/// The source of a span, quotes included.
pub(crate) fn text(span: &Span) -> &str {
    let range = start(span)..end(span);
    span.source.contents().get(range).unwrap_or_default()
}

fn is_quote(span: &Span, at: usize) -> bool {
    let byte = span.source.contents().as_bytes().get(at);
    matches!(byte, Some(b'"' | b'`'))
}
