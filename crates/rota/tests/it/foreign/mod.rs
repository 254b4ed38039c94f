//! Files of other programs, started for real: PM2's ecosystem files, Procfiles, package.json, PM2's dump.

mod evaluation;
mod guides;
mod import;
mod others;
mod verbs;

use std::fs;

use serde_json::Value;

use crate::support::{Home, eventually, try_get};

/// A server that stands for any: tells how it was started. Its port is PORT, or the number at the end of its arguments.
const SERVER: &str = "
const http = require('node:http');
const cluster = require('node:cluster');
const port = process.env.PORT || process.argv.at(-1);
http.createServer((request, response) => {
  response.end(JSON.stringify({
    args: process.argv.slice(2), execArgv: process.execArgv, cwd: process.cwd(), env: process.env,
    cluster: cluster.isWorker, title: require.main ? require.main.filename : '',
  }));
}).listen(port, () => process.send && process.send('ready'));
process.on('SIGINT', () => { console.log('bye by SIGINT'); process.exit(0); });
";

/// Writes a file in a folder of the home.
fn put(home: &Home, name: &str, text: &str) {
    let path = home.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What the server on this port tells of itself.
#[track_caller]
fn portrait(port: impl std::fmt::Display) -> Value {
    let port: u16 = port.to_string().parse().unwrap();
    let answer = eventually("the server answers", || try_get(port, "/").ok());
    answer.json()
}
