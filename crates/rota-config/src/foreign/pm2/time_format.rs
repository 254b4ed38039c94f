//! day.js's words for a time, as strftime(3) has them.

/// Tokens and what they are in strftime, longer ones before their beginnings.
const TOKENS: [(&str, &str); 27] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("DD", "%d"),
    ("D", "%-d"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("dd", "%a"),
    ("d", "%w"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("SSS", "%3f"),
    ("ss", "%S"),
    ("s", "%-S"),
    ("ZZ", "%z"),
    ("Z", "%:z"),
    ("A", "%p"),
    ("a", "%P"),
    // Not day.js's own, but of moment, whose formats many files still have.
    ("X", "%s"),
    ("x", "%s%3f"),
];

/// The format in the words of strftime. What day.js does not know stands for itself, there as here.
pub fn strftime(format: &str) -> String {
    let mut made = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if let Some(inner) = rest.strip_prefix('[')
            && let Some(end) = inner.find(']')
        {
            literal(&mut made, &inner[..end]);
            rest = &inner[end + 1..];
        } else if let Some((token, meaning)) =
            TOKENS.iter().find(|(token, _)| rest.starts_with(token))
        {
            made.push_str(meaning);
            rest = &rest[token.len()..];
        } else {
            let end = first.len_utf8();
            literal(&mut made, &rest[..end]);
            rest = &rest[end..];
        }
    }
    made
}

fn literal(made: &mut String, text: &str) {
    made.push_str(&text.replace('%', "%%"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_translated() {
        for (dayjs, expected) in [
            ("YYYY-MM-DD HH:mm:ss Z", "%Y-%m-%d %H:%M:%S %:z"),
            ("YYYY-MM-DDTHH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
            ("YYYY-MM-DD HH:mm:ss.SSS ZZ", "%Y-%m-%d %H:%M:%S.%3f %z"),
            ("D MMM YY, h:m:s a", "%-d %b %y, %-I:%-M:%-S %P"),
            ("dddd, MMMM M H hh A", "%A, %B %-m %-H %I %p"),
            ("[at] HH[h] 100%", "at %Hh 100%%"),
        ] {
            assert_eq!(strftime(dayjs), expected, "{dayjs}");
        }
        assert_eq!(strftime("[é"), "[é");
    }
}
