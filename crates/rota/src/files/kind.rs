//! What sort of file it is, by its name.

use std::path::{Path, PathBuf};

/// A sort of file that says what is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// rota.toml.
    Rota,
    /// An ecosystem file that is a program.
    JavaScript,
    /// One that is JSON, with what PM2 allows besides.
    Json,
    /// One that is YAML.
    Yaml,
    /// `web: node server.js`.
    Procfile,
    /// What `npm start` would start.
    Package,
}

/// What is taken where no file is named, the first that is there.
const USUAL: [&str; 14] = [
    "rota.toml",
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.mjs",
    "ecosystem.config.json",
    "ecosystem.config.yml",
    "ecosystem.config.yaml",
    "ecosystem.json",
    "ecosystem.yml",
    "ecosystem.yaml",
    "process.json",
    "process.yml",
    "Procfile",
    "package.json",
];

impl Kind {
    /// The sort of a file, if it is one of these: `*.toml`, `*.json`, `*.yaml`, `*.yml`, `*.config.js`, `ecosystem.*`,
    /// `Procfile`, `package.json`.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        if name == "package.json" {
            return Some(Self::Package);
        }
        if name == "Procfile" || name.starts_with("Procfile.") {
            return Some(Self::Procfile);
        }
        let (stem, extension) = name.rsplit_once('.')?;
        match extension {
            "toml" => Some(Self::Rota),
            "json" | "json5" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "js" | "cjs" | "mjs" => {
                let ours = stem.ends_with(".config")
                    || stem == "ecosystem"
                    || stem.starts_with("ecosystem.");
                ours.then_some(Self::JavaScript)
            }
            _ => None,
        }
    }
}

/// The file that is meant in a folder where none is named, of the sorts that are wanted.
pub fn usual(folder: &Path, wanted: impl Fn(Kind) -> bool) -> Option<PathBuf> {
    let sort = |name: &str| Kind::of(Path::new(name)).is_some_and(&wanted);
    let there = USUAL
        .iter()
        .find(|name| sort(name) && folder.join(name).is_file());
    there.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for (name, kind) in [
            ("rota.toml", Some(Kind::Rota)),
            ("x/shop.toml", Some(Kind::Rota)),
            ("ecosystem.config.js", Some(Kind::JavaScript)),
            ("/srv/api.config.cjs", Some(Kind::JavaScript)),
            ("ecosystem.prod.mjs", Some(Kind::JavaScript)),
            ("ecosystem.js", Some(Kind::JavaScript)),
            ("process.json", Some(Kind::Json)),
            ("pm2.yaml", Some(Kind::Yaml)),
            ("a.yml", Some(Kind::Yaml)),
            ("Procfile", Some(Kind::Procfile)),
            ("Procfile.dev", Some(Kind::Procfile)),
            ("package.json", Some(Kind::Package)),
            ("app.js", None),
            ("config.js", None),
            ("server.ts", None),
            ("npm start", None),
            ("", None),
        ] {
            assert_eq!(Kind::of(Path::new(name)), kind, "{name}");
        }
        assert!(USUAL.iter().all(|name| Kind::of(Path::new(name)).is_some()));
    }
}
