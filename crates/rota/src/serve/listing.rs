//! What is in a folder, as a page.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{Dir, FileType};

use super::site::is_hidden;

/// A larger folder is cut off.
const MOST: usize = 10_000;
/// What may stand in a link as it is.
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The page of a folder; `path` is what the caller knows it by.
///
/// # Errors
/// If it cannot be read.
pub(super) fn page(folder: &File, path: &str) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder.as_fd())?.take(MOST) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_hidden(&name) {
            names.push((entry.file_type() != FileType::Directory, name));
        }
    }
    // Folders first.
    names.sort();
    let title = escaped(path);
    let mut page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n<ul>\n"
    );
    if path != "/" {
        page.push_str("<li><a href=\"../\">../</a>\n");
    }
    for (is_file, name) in names {
        let slash = if is_file { "" } else { "/" };
        let link = utf8_percent_encode(&name, NAME);
        page.push_str(&format!(
            "<li><a href=\"./{link}{slash}\">{}{slash}</a>\n",
            escaped(&name)
        ));
    }
    page.push_str("</ul>\n");
    Ok(page)
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_cannot_become_markup_and_hidden_ones_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["<b>&\".txt", ".env", "a b"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("sub")).unwrap();
        let page = page(&File::open(folder.path()).unwrap(), "/x/").unwrap();
        assert!(page.contains("href=\"./sub/\">sub/<"), "{page}");
        assert!(
            page.contains("href=\"./%3Cb%3E%26%22.txt\">&lt;b&gt;&amp;&quot;.txt<"),
            "{page}"
        );
        assert!(page.contains("./a%20b") && !page.contains(".env"), "{page}");
    }
}
