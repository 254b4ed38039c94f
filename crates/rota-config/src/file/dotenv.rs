//! `.env` files: `NAME=value`, as dotenv and dotenv-expand read them, with errors instead of silence.
//!
//! | written | value |
//! | --- | --- |
//! | `A=b c  # comment` | `b c`; `#` begins a comment |
//! | `A='b $C # d'` | as it stands, also over several lines |
//! | `` A=`b "c" 'd' $E` `` | as it stands, but for variables; also over several lines |
//! | `A="b\nc $D"` | over several lines; `\n` `\r` `\t` `\"` `\\` `\$` and variables are replaced |
//! | `$B`, `${B}`, `${B:-c}`, `${B-c}` | the value that `B` has by then; `c` where it is empty or not set, or not set |
//! | `export A=b` | as `A=b` |

/// A variable of a file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Its line, from 1.
    pub(crate) line: u32,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: u32,
    pub(crate) why: &'static str,
}

/// References in references, `${A:-${B:-…}}`, go no deeper.
const DEPTH: u8 = 8;
/// A value cannot grow beyond this by expansion, in bytes.
const LONGEST: usize = 128 * 1024;

/// Reads a file; `known` gives the values of variables from elsewhere.
pub(crate) fn parse(
    text: &str,
    known: &dyn Fn(&str) -> Option<String>,
) -> (Vec<Variable>, Vec<BadLine>) {
    let mut reader = Reader {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
        line: 1,
    };
    let (mut variables, mut bad) = (Vec::<Variable>::new(), Vec::new());
    while !reader.rest.is_empty() {
        let line = reader.line;
        let so_far = |name: &str| {
            let mine = variables.iter().rev().find(|v: &&Variable| v.name == name);
            mine.map(|v| v.value.clone()).or_else(|| known(name))
        };
        match reader.statement(&so_far) {
            Ok(Some((name, value))) => variables.push(Variable { name, value, line }),
            Ok(None) => {}
            Err(why) => {
                bad.push(BadLine { line, why });
                reader.skip_line();
            }
        }
    }
    (variables, bad)
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

type Known<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        let lines = taken.matches('\n').count();
        self.line = self
            .line
            .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
        taken
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        self.take(end);
    }

    fn blanks(&mut self) {
        let end = self.rest.find(|c| !matches!(c, ' ' | '\t' | '\r'));
        self.take(end.unwrap_or(self.rest.len()));
    }

    /// One line, or as many as its quotes take.
    fn statement(&mut self, known: &Known<'_>) -> Result<Option<(String, String)>, &'static str> {
        self.blanks();
        if self.rest.is_empty() || self.rest.starts_with(['\n', '#']) {
            self.skip_line();
            return Ok(None);
        }
        if let Some(rest) = self.rest.strip_prefix("export")
            && rest.starts_with([' ', '\t'])
        {
            self.take("export".len());
            self.blanks();
        }
        let end = self.rest.find(['=', '\n']).unwrap_or(self.rest.len());
        if !self.rest[end..].starts_with('=') {
            return Err("it is not NAME=value");
        }
        let name = self.rest[..end].trim_end().to_owned();
        if !is_name(&name) {
            return Err(
                "the name before `=` may have letters, digits, `_`, `.` and `-`, and begins with no digit",
            );
        }
        self.take(end + 1);
        self.blanks();
        let value = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => self.quoted(quote, known)?,
            _ => self.bare(known)?,
        };
        match value.contains('\0') {
            true => Err("there is a zero byte in the value"),
            false => Ok(Some((name, value))),
        }
    }

    fn bare(&mut self, known: &Known<'_>) -> Result<String, &'static str> {
        let end = self.rest.find(['\n', '#']).unwrap_or(self.rest.len());
        let value = expand(self.rest[..end].trim(), known, DEPTH)?;
        self.skip_line();
        Ok(value)
    }

    fn quoted(&mut self, quote: char, known: &Known<'_>) -> Result<String, &'static str> {
        let inner = &self.rest[1..];
        let end = match quote {
            '"' => closing(inner),
            other => inner.find(other),
        };
        let end = end.ok_or("a quote is not closed")?;
        let raw = &inner[..end];
        let after = &inner[end + 1..];
        let line_end = after.find('\n').unwrap_or(after.len());
        let tail = after[..line_end].trim();
        if !tail.is_empty() && !tail.starts_with('#') {
            return Err("there is something behind the closing quote");
        }
        let value = match quote {
            '\'' => raw.to_owned(),
            '`' => expand(raw, known, DEPTH)?,
            _ => unescape(raw, known)?,
        };
        self.take(end + 2);
        self.skip_line();
        Ok(value)
    }
}

/// The closing double quote: one without a backslash before it.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// Replaces escapes and variables; an escaped `$` is none.
fn unescape(text: &str, known: &Known<'_>) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        value.push_str(&expand(&rest[..at], known, DEPTH)?);
        if value.len() > LONGEST {
            return limited(value);
        }
        let mut after = rest[at + 1..].chars();
        match after.next() {
            Some('n') => value.push('\n'),
            Some('r') => value.push('\r'),
            Some('t') => value.push('\t'),
            Some(c @ ('"' | '\\' | '$')) => value.push(c),
            Some(other) => value.extend(['\\', other]),
            None => value.push('\\'),
        }
        rest = after.as_str();
    }
    value.push_str(&expand(rest, known, DEPTH)?);
    limited(value)
}

/// Replaces `$NAME` and `${NAME:-default}`.
fn expand(text: &str, known: &Known<'_>, depth: u8) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        if value.len() > LONGEST {
            return limited(value);
        }
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        if let Some(kept) = before.strip_suffix('\\') {
            value.push_str(kept);
            value.push('$');
            rest = after;
            continue;
        }
        value.push_str(before);
        if let Some(inner) = after.strip_prefix('{') {
            let end = matching(inner).ok_or("`${` is not closed")?;
            value.push_str(&reference(&inner[..end], known, depth)?);
            rest = &inner[end + 1..];
            continue;
        }
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        match &after[..end] {
            name if is_name(name) => value.push_str(&known(name).unwrap_or_default()),
            other => value.extend(["$", other]),
        }
        rest = &after[end..];
    }
    value.push_str(rest);
    limited(value)
}

/// The closing brace that belongs to an open one.
fn matching(text: &str) -> Option<usize> {
    let mut open = 0;
    text.bytes().position(|byte| {
        open += i32::from(byte == b'{');
        open -= i32::from(byte == b'}');
        open < 0
    })
}

/// What stands between braces.
fn reference(inner: &str, known: &Known<'_>, depth: u8) -> Result<String, &'static str> {
    if depth == 0 {
        return Err("variables are nested too deep");
    }
    let end = inner
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if !is_name(name) {
        return Err("`${…}` does not begin with the name of a variable");
    }
    let value = known(name);
    if let Some(default) = rest.strip_prefix(":-") {
        return match value.filter(|value| !value.is_empty()) {
            Some(value) => Ok(value),
            None => expand(default, known, depth - 1),
        };
    }
    if let Some(default) = rest.strip_prefix('-') {
        return match value {
            Some(value) => Ok(value),
            None => expand(default, known, depth - 1),
        };
    }
    match rest.is_empty() {
        true => Ok(value.unwrap_or_default()),
        false => {
            Err("of `${…}` only `${NAME}`, `${NAME:-default}` and `${NAME-default}` are known")
        }
    }
}

fn limited(value: String) -> Result<String, &'static str> {
    match value.len() > LONGEST {
        true => Err("the value is longer than 128 KiB"),
        false => Ok(value),
    }
}

/// dotenv's names.
pub(crate) fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let known = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let (variables, bad) = parse(text, &known);
        assert_eq!(bad, [], "{text}");
        variables.into_iter().map(|v| (v.name, v.value)).collect()
    }

    #[test]
    fn every_form_of_a_value() {
        for (text, value) in [
            ("A=b", "b"),
            ("A=", ""),
            ("A =  b c  ", "b c"),
            ("export A=b", "b"),
            ("export\tA=b\r\n", "b"),
            ("\u{feff}A=b", "b"),
            ("A=b # comment", "b"),
            ("A=b#c", "b"),
            ("A='b # $HOME \\n'  # comment", "b # $HOME \\n"),
            ("A=\"b # c\"", "b # c"),
            (
                "A=\"b\\nc\\td \\\"e\\\" \\\\ \\$HOME \\x\"",
                "b\nc\td \"e\" \\ $HOME \\x",
            ),
            (
                "A=\"-----BEGIN-----\nline\n-----END-----\"",
                "-----BEGIN-----\nline\n-----END-----",
            ),
            ("A='b\nc'", "b\nc"),
            ("A=`b \"c\" 'd'`", "b \"c\" 'd'"),
            ("A=$HOME/x", "/home/me/x"),
            ("A=${HOME}x", "/home/mex"),
            ("A=\\$HOME", "$HOME"),
            ("A=${NONE}", ""),
            ("A=${NONE:-b}", "b"),
            ("A=${NONE-${HOME}}", "/home/me"),
            ("A=${HOME:-b}", "/home/me"),
            ("A=5$ and $", "5$ and $"),
            ("A=a=b", "a=b"),
        ] {
            assert_eq!(read(text), [("A".to_owned(), value.to_owned())], "{text}");
        }
    }

    #[test]
    fn lines_build_on_those_before() {
        let text = "# a comment\n\nHOST=db\nPORT=5432\nURL=\"postgres://${HOST}:${PORT}/x\"\nHOST=b\nEMPTY=\nA=${EMPTY-x}${EMPTY:-y}\n";
        let values: Vec<String> = read(text).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["db", "5432", "postgres://db:5432/x", "b", "", "y"]);
        let (variables, _) = parse("A='1\n2'\nB=3", &|_| None);
        assert_eq!(variables[1].line, 3);
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (text, line, why) in [
            ("A=1\nhello\nB=2", 2, "NAME=value"),
            ("1A=b", 1, "begins with no digit"),
            ("A B=c", 1, "begins with no digit"),
            ("=b", 1, "begins with no digit"),
            ("\nA=\"b", 2, "not closed"),
            ("A='b' c", 1, "behind the closing quote"),
            ("A=${HOME", 1, "`${` is not closed"),
            ("A=${1}", 1, "name of a variable"),
            ("A=${HOME:?no}", 1, "only"),
            ("A=b\0c", 1, "zero byte"),
        ] {
            let (_, bad) = parse(text, &|_| None);
            assert_eq!(bad.len(), 1, "{text}");
            assert_eq!(bad[0].line, line, "{text}");
            assert!(bad[0].why.contains(why), "{text}: {}", bad[0].why);
        }
        let deep = format!("A={}{}", "${B-".repeat(20), "}".repeat(20));
        assert_eq!(
            parse(&deep, &|_| None).1[0].why,
            "variables are nested too deep"
        );
        let mut growing = "A=0123456789\n".to_owned();
        growing.push_str(&"A=$A$A$A$A$A$A$A$A\n".repeat(20));
        assert!(!parse(&growing, &|_| None).1.is_empty());
    }
}
