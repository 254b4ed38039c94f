//! The flags for apps that were written for PM2.

use clap::Args;
use rota_config::AppSpec;

const COMPAT: &str = "What apps written for PM2 expect";

/// Flags for the ways of PM2.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct CompatFlags {
    /// Ask Node workers to stop by the message `shutdown`; the signal follows after --kill-timeout
    #[arg(long, visible_alias = "shutdown-with-message", help_heading = COMPAT)]
    pub stop_message: bool,

    /// The variable that tells a worker its number [default: NODE_APP_INSTANCE]
    #[arg(long, value_name = "NAME", value_parser = variable, help_heading = COMPAT)]
    pub instance_var: Option<String>,

    /// A variable with a number, to which each worker's number is added: PORT
    #[arg(long, value_name = "NAME", value_parser = variable, help_heading = COMPAT)]
    pub increment_var: Option<String>,

    /// Give workers the variables that PM2 sets: pm_id, name, exec_mode and others
    #[arg(long, help_heading = COMPAT)]
    pub pm2_env: bool,
}

impl CompatFlags {
    /// Writes them into the specification.
    pub fn set(&self, spec: &mut AppSpec) {
        spec.stop.message = self.stop_message;
        spec.compat.pm2 = self.pm2_env;
        spec.compat.instance_var.clone_from(&self.instance_var);
        spec.compat.increment_var.clone_from(&self.increment_var);
    }
}

fn variable(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains('=') {
        true => Err("it is no name of a variable".to_owned()),
        false => Ok(text.to_owned()),
    }
}
