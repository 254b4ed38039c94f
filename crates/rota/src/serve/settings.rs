//! What the worker is told: by arguments, and by its environment what is not for everybody's eyes.

use std::ffi::OsString;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The hidden verb.
pub const VERB: &str = "__serve";
/// The variable with the user's name.
pub const USERNAME: &str = "SERVE_BASIC_AUTH_USERNAME";
/// The variable with the password.
pub const PASSWORD: &str = "SERVE_BASIC_AUTH_PASSWORD";

/// What is served, and how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The folder.
    pub(super) folder: PathBuf,
    /// Paths that are no file mean `index.html`.
    pub(super) spa: bool,
    /// Folders without `index.html` are listed.
    pub(super) listing: bool,
    /// What a caller has to show behind `Basic `.
    pub(super) credentials: Option<String>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub(super) fn read(
        mut args: impl Iterator<Item = OsString>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut settings = Self {
            listing: true,
            ..Self::default()
        };
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--folder") => {
                    settings.folder = args.next().ok_or("--folder needs a value")?.into();
                }
                Some("--spa") => settings.spa = true,
                Some("--no-listing") => settings.listing = false,
                _ => return Err(format!("unknown argument {}", arg.display())),
            }
        }
        if settings.folder.as_os_str().is_empty() {
            return Err("--folder is missing".to_owned());
        }
        settings.credentials = match (variable(USERNAME), variable(PASSWORD)) {
            (Some(user), Some(password)) => {
                Some(BASE64_STANDARD.encode(format!("{user}:{password}")))
            }
            (None, None) => None,
            // Half of it must not mean "for everybody".
            _ => return Err(format!("{USERNAME} and {PASSWORD} belong together")),
        };
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
        let args = line.split_whitespace().map(OsString::from);
        Settings::read(args, |name| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn half_a_password_is_none_at_all() {
        let open = read("--folder /srv --spa --no-listing", &[]).unwrap();
        assert!(open.spa && !open.listing && open.credentials.is_none());
        let closed = read("--folder /srv", &[(USERNAME, "a"), (PASSWORD, "b")]).unwrap();
        assert_eq!(closed.credentials.as_deref(), Some("YTpi"));
        assert!(read("--folder /srv", &[(USERNAME, "a")]).is_err());
        assert!(read("--folder /srv", &[(PASSWORD, "a")]).is_err());
        assert!(read("", &[]).is_err() && read("--what", &[]).is_err());
    }
}
