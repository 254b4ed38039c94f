//! A file that says what is to run, of whatever sort: one seam for all that is done with such files.

use std::path::Path;

use rota_config::file::{ConfigFile, FileApp, Outside, Problem, closest};
use rota_config::foreign::{Foreign, Mistake, Taken};
use rota_config::{AppName, Env, ResolveErrorKind, resolve};

use super::read_text;

/// A file that says what is to run.
#[derive(Debug)]
pub enum Source {
    /// rota.toml.
    Rota(Box<ConfigFile>),
    /// A file of another program.
    Foreign(Foreign),
}

/// Something that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// With a place in the text.
    Line(Problem),
    /// With an app and a field.
    Field(Mistake),
}

impl Source {
    /// Where the file is, absolute.
    pub fn path(&self) -> &Path {
        match self {
            Self::Rota(file) => file.path(),
            Self::Foreign(file) => file.path(),
        }
    }

    /// The apps under a profile, for a caller with this environment.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn apps(&self, profile: Option<&str>, caller: &Env) -> Result<Taken, Vec<Fault>> {
        let outside = Outside {
            caller,
            read: &read_text,
        };
        match self {
            Self::Rota(file) => {
                let apps = file.apps(profile, &outside);
                apps.map(Taken::of)
                    .map_err(|problems| all(problems, Fault::Line))
            }
            Self::Foreign(file) => file
                .apps(profile, &outside)
                .map_err(|mistakes| all(mistakes, Fault::Field)),
        }
    }

    /// What is wrong with it whatever the profile.
    pub fn faults(&self) -> Vec<Fault> {
        match self {
            Self::Rota(file) => all(file.problems().to_vec(), Fault::Line),
            Self::Foreign(_) => self.apps(None, &Env::new()).err().unwrap_or_default(),
        }
    }

    /// What is wrong with what the apps run: a look at the file system.
    pub fn programs(&self, apps: &[FileApp]) -> Vec<Fault> {
        match self {
            Self::Rota(file) => all(file.programs(apps), Fault::Line),
            Self::Foreign(_) => apps.iter().filter_map(program).map(Fault::Field).collect(),
        }
    }

    /// The names of its apps. Those of another program may depend on the profile: all that there can be.
    pub fn names(&self) -> Vec<AppName> {
        self.order().into_iter().flatten().collect()
    }

    /// Its apps in groups: all that an app waits for is in earlier groups.
    pub fn order(&self) -> Vec<Vec<AppName>> {
        if let Self::Rota(file) = self {
            return file.order();
        }
        let profiles = self.profiles();
        let mut names = Vec::new();
        for profile in [None]
            .into_iter()
            .chain(profiles.iter().map(|name| Some(name.as_str())))
        {
            for app in self.apps(profile, &Env::new()).unwrap_or_default().apps {
                if !names.contains(&app.spec.name) {
                    names.push(app.spec.name);
                }
            }
        }
        vec![names]
    }

    /// The names of its profiles.
    pub fn profiles(&self) -> Vec<String> {
        match self {
            Self::Rota(file) => file.profiles().into_iter().map(str::to_owned).collect(),
            Self::Foreign(file) => file.profiles(),
        }
    }

    /// How a profile is written in it.
    pub fn profile_example(&self, name: &str) -> String {
        match self {
            Self::Rota(_) => format!("a profile is a table of variables: [env.{name}]"),
            Self::Foreign(_) => format!("a profile is a table of variables of an app: env_{name}"),
        }
    }

    /// The app that was probably meant.
    pub fn closest_app(&self, name: &str) -> Option<AppName> {
        let names = self.names();
        let close = closest(name, names.iter().map(AppName::as_str))?;
        AppName::new(close).ok()
    }
}

fn all<T>(faults: Vec<T>, of: fn(T) -> Fault) -> Vec<Fault> {
    faults.into_iter().map(of).collect()
}

fn program(app: &FileApp) -> Option<Mistake> {
    let error = resolve(&app.spec).err()?;
    let field = match &error.kind {
        ResolveErrorKind::BadCwd { .. } => "cwd",
        ResolveErrorKind::NoInterpreter { .. } => "interpreter",
        _ => "script",
    };
    Some(Mistake {
        app: Some(app.spec.name.to_string()),
        field: Some(field.to_owned()),
        value: None,
        why: error.to_string(),
        help: error.hint,
    })
}
