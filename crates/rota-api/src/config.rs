//! The effective settings of an app, and where each comes from.

use serde::{Deserialize, Serialize};

/// The settings of an app (`POST /v1/config`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigRequest {
    /// A name or an id.
    pub target: String,
}

/// The answer to a [`ConfigRequest`]. No values of variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigResponse {
    /// The app.
    pub app: String,
    /// The configuration file that it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The profile that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Its settings, by the keys of rota.toml.
    pub settings: Vec<Setting>,
    /// Its variables, by name.
    pub env: Vec<SettingEnv>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// What holds; null: nothing is set.
    pub value: serde_json::Value,
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingEnv {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A file sets it.
    File {
        /// Absolute.
        file: String,
        /// From 1; 0: it is not known.
        line: u32,
        /// What a file of another program calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
    },
    /// It is a variable of the shell that started the app, because a file names it.
    Named {
        /// Absolute.
        file: String,
        /// From 1.
        line: u32,
    },
    /// It is a variable of the shell that started the app.
    Shell,
    /// A flag or another caller of the API has set it.
    Given,
    /// `scale` has set it.
    Scaled,
    /// Nobody has set it.
    Default,
    /// Something that this program does not know.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_stand_beside_the_value() {
        let setting = Setting {
            key: "instances".to_owned(),
            value: 2.into(),
            origin: Origin::File {
                file: "/srv/rota.toml".to_owned(),
                line: 3,
                field: None,
            },
        };
        let json =
            r#"{"key":"instances","value":2,"from":"file","file":"/srv/rota.toml","line":3}"#;
        assert_eq!(serde_json::to_string(&setting).unwrap(), json);
        assert_eq!(serde_json::from_str::<Setting>(json).unwrap(), setting);
        let newer = r#"{"key":"a","value":null,"from":"moon"}"#;
        let read: Setting = serde_json::from_str(newer).unwrap();
        assert_eq!(read.origin, Origin::Unknown);
    }
}
