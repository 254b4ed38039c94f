//! `pm2`: rota under the name that its users may know. Everything that speaks PM2's language is in here; it is
//! translated into the requests that rota's own verbs send.
//!
//! [`called_as`] says whether this process is meant; [`main`] and [`runtime_main`] run it.

mod act;
mod args;
mod conf;
mod dump;
mod file;
mod home;
mod input;
mod logs;
mod misc;
mod objects;
mod rotation;
mod run;
mod runtime;
mod select;
mod show;
mod specs;
mod start;
mod verbs;

pub use run::{called_as, main, verb};
