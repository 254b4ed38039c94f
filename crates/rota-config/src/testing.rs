//! What the tests of this crate share.

use std::fs;
use std::path::PathBuf;

/// A part of a page of the documentation is this text; with `ROTA_WRITE_DOCS` in the environment it is written instead.
#[track_caller]
pub(crate) fn is_in_the_docs(page: &str, part: &str, text: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let path = folder.join(page);
    let docs = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- begin of the {part} -->\n\n");
    let end = format!("\n<!-- end of the {part} -->");
    let (before, rest) = docs.split_once(&begin).expect("the part begins");
    let (there, after) = rest.split_once(&end).expect("and ends");
    if std::env::var_os("ROTA_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{text}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(
        there, text,
        "ROTA_WRITE_DOCS=1 cargo test -p rota-config writes it anew"
    );
}
