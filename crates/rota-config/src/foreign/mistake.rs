//! What is wrong with a file that has no lines to point at.

use std::fmt;

/// Something that is wrong with a file of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The app, by name or by number (`apps[2]`); `None`: the file as a whole.
    pub app: Option<String>,
    /// The field, as the file has it.
    pub field: Option<String>,
    /// What stands there, shortened; never the value of a variable.
    pub value: Option<String>,
    /// What is wrong with it.
    pub why: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Mistake {
    pub(super) fn of_file(why: impl Into<String>) -> Self {
        Self {
            app: None,
            field: None,
            value: None,
            why: why.into(),
            help: None,
        }
    }

    pub(super) fn of_app(app: &str, why: impl Into<String>) -> Self {
        Self {
            app: Some(app.to_owned()),
            ..Self::of_file(why)
        }
    }

    #[must_use]
    pub(super) fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Mistake {
    /// In one line, without the help: `api: kill_timeout is "soon": it is no time`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(app) = &self.app {
            write!(f, "{app}: ")?;
        }
        match (&self.field, &self.value) {
            (Some(field), Some(value)) => write!(f, "`{field}` is {value}: ")?,
            (Some(field), None) => write!(f, "`{field}`: ")?,
            (None, _) => {}
        }
        f.write_str(&self.why)
    }
}
