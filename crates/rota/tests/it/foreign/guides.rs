//! Ecosystem files as the deployment guides of well-known projects have them, with a small server in the project's place.

use serde_json::Value;

use super::{SERVER, portrait, put};
use crate::support::{Home, Port, free_port};

/// A project as its guide leaves it.
struct Guide {
    home: Home,
    port: Port,
    file: &'static str,
}

impl Guide {
    /// `scripts` are where the project's own program is; `PORT` in the file is a free port.
    fn new(scripts: &[&str], file: &'static str, text: &str) -> Self {
        let (home, port) = (Home::new(), free_port());
        for script in scripts {
            put(&home, script, SERVER);
        }
        let text = text.replace("PORT_HERE", &port.to_string());
        let text = text.replace("FOLDER_HERE", &home.path().display().to_string());
        put(&home, file, &text);
        Self { home, port, file }
    }

    /// Starts it, looks at what runs, and stops it.
    fn starts(&self, env: &[&str], name: &str, mode: &str, workers: usize) -> Value {
        let mut args = vec!["start", self.file];
        args.extend(env);
        self.home.rota(&args).ok();
        let portrait = portrait(&self.port);
        let app = self.home.app(name);
        assert_eq!(
            (app.status(), app.pids().len()),
            ("online", workers),
            "{:#}",
            app.0
        );
        assert_eq!(portrait["cluster"], mode == "cluster");
        assert_eq!(app.0["mode"], mode, "{:#}", app.0);
        portrait
    }
}

#[test]
fn express() {
    let guide = Guide::new(
        &["app.js"],
        "ecosystem.config.js",
        "
module.exports = {
  apps: [{
    name: 'express-api',
    script: './app.js',
    instances: 2,
    exec_mode: 'cluster',
    env: { NODE_ENV: 'development', PORT: PORT_HERE },
    env_production: { NODE_ENV: 'production' },
  }],
};",
    );
    let portrait = guide.starts(&["--env", "production"], "express-api", "cluster", 2);
    assert_eq!(portrait["env"]["NODE_ENV"], "production");
    guide.home.rota(&["reload", guide.file]).ok();
    assert_eq!(
        super::portrait(&guide.port)["env"]["NODE_ENV"],
        "production",
        "the profile stays"
    );
    guide.home.rota(&["delete", guide.file]).ok();
    assert!(guide.home.find("express-api").is_none());
}

#[test]
fn fastify() {
    let guide = Guide::new(
        &["dist/server.js"],
        "ecosystem.config.cjs",
        "
module.exports = {
  apps: [{
    name: 'fastify',
    script: 'dist/server.js',
    node_args: '--max-old-space-size=256',
    wait_ready: true,
    listen_timeout: 10000,
    kill_timeout: 5000,
    max_memory_restart: '1G',
    env: { PORT: 'PORT_HERE', FASTIFY_CLOSE_GRACE_DELAY: 500 },
  }],
};",
    );
    let portrait = guide.starts(&[], "fastify", "fork", 1);
    assert_eq!(portrait["env"]["FASTIFY_CLOSE_GRACE_DELAY"], "500");
    assert!(
        portrait["execArgv"]
            .to_string()
            .contains("--max-old-space-size=256")
    );
}

#[test]
fn next() {
    let guide = Guide::new(
        &["node_modules/next/dist/bin/next"],
        "ecosystem.config.js",
        "
module.exports = {
  apps: [{
    name: 'next-app',
    script: 'node_modules/next/dist/bin/next',
    args: 'start -p PORT_HERE',
    instances: 'max',
    exec_mode: 'cluster',
    autorestart: true,
    watch: false,
  }],
};",
    );
    let workers = rota_sys::cpus::available();
    let portrait = guide.starts(&[], "next-app", "cluster", workers);
    assert_eq!(portrait["args"][0], "start");
}

#[test]
fn nuxt() {
    let guide = Guide::new(
        &[".output/server/index.mjs.js"],
        "ecosystem.config.cjs",
        "
module.exports = {
  apps: [
    {
      name: 'NuxtAppName',
      port: 'PORT_HERE',
      exec_mode: 'cluster',
      instances: '2',
      script: './.output/server/index.mjs',
    },
  ],
};",
    );
    put(
        &guide.home,
        ".output/server/index.mjs",
        "import './index.mjs.js';",
    );
    guide.starts(&[], "NuxtAppName", "cluster", 2);
}

#[test]
fn nest() {
    let guide = Guide::new(
        &["dist/main.js"],
        "ecosystem.config.js",
        "
module.exports = {
  apps: [
    {
      name: 'nest',
      script: 'dist/main.js',
      instances: 1,
      max_restarts: 5,
      min_uptime: '10s',
      restart_delay: 4000,
      time: true,
      source_map_support: true,
      env: { NODE_ENV: 'production', PORT: PORT_HERE },
    },
  ],
};",
    );
    let portrait = guide.starts(&[], "nest", "cluster", 1);
    assert!(
        portrait["execArgv"]
            .to_string()
            .contains("--enable-source-maps")
    );
}

#[test]
fn strapi() {
    let guide = Guide::new(&["server.js"], "ecosystem.config.js", "
module.exports = {
  apps: [
    {
      name: 'strapi',
      cwd: 'FOLDER_HERE',
      script: 'npm',
      args: 'start',
      env: { NODE_ENV: 'production', DATABASE_HOST: '127.0.0.1', DATABASE_PASSWORD: 'strapi', PORT: PORT_HERE },
    },
  ],
};");
    put(
        &guide.home,
        "package.json",
        r#"{"name": "strapi", "scripts": {"start": "node server.js"}}"#,
    );
    let portrait = guide.starts(&[], "strapi", "fork", 1);
    assert_eq!(portrait["env"]["DATABASE_PASSWORD"], "strapi");
    let shown = guide.home.rota(&["config", "show", "strapi"]).ok();
    assert!(!shown.out.contains("DATABASE_PASSWORD = "), "{shown}");
}

#[test]
fn ghost() {
    let guide = Guide::new(
        &["current/index.js"],
        "ghost.config.json",
        r#"{
  // as the community's guides have it
  "apps": [{
    "name": "ghost",
    "script": "current/index.js",
    "env": { "NODE_ENV": "production", "PORT": PORT_HERE, "url": "https://blog.example.org" },
    "error_file": "logs/error.log",
    "out_file": "logs/out.log",
  }],
}"#,
    );
    let portrait = guide.starts(&[], "ghost", "fork", 1);
    assert_eq!(portrait["env"]["url"], "https://blog.example.org");
}

#[test]
fn n8n() {
    let guide = Guide::new(
        &["n8n-main.js"],
        "ecosystem.config.js",
        "
module.exports = {
  apps: [{
    name: 'n8n',
    script: 'node n8n-main.js start',
    env: { N8N_BASIC_AUTH_ACTIVE: true, PORT: PORT_HERE, GENERIC_TIMEZONE: 'Europe/Berlin' },
  }],
};",
    );
    let portrait = guide.starts(&[], "n8n", "fork", 1);
    assert_eq!(portrait["args"][0], "start");
    assert_eq!(portrait["env"]["N8N_BASIC_AUTH_ACTIVE"], "true");
}

#[test]
fn directus() {
    let guide = Guide::new(
        &["node_modules/directus/cli.js"],
        "ecosystem.config.yml",
        "
apps:
  - name: directus
    script: node_modules/directus/cli.js
    args: [start]
    exec_mode: cluster
    instances: 2
    merge_logs: true
    env:
      PORT: PORT_HERE
      PUBLIC_URL: https://cms.example.org
",
    );
    let portrait = guide.starts(&[], "directus", "cluster", 2);
    assert_eq!(portrait["args"], serde_json::json!(["start"]));
}

#[test]
fn node_red() {
    let guide = Guide::new(
        &["red.js"],
        "ecosystem.json",
        r#"[{
  "name": "node-red",
  "exec": "./red.js",
  "interpreter_args": "--max-old-space-size=128",
  "args": ["-v", "--port", "PORT_HERE"],
  "pmx": false,
  "vizion": false,
  "treekill": true
}]"#,
    );
    let output = guide.home.rota(&["check", guide.file]).ok();
    assert!(
        output.err.contains("left out: `pmx` (node-red);"),
        "{output}"
    );
    let portrait = guide.starts(&[], "node-red", "fork", 1);
    assert_eq!(portrait["args"][0], "-v");
    assert_eq!(
        portrait["cwd"].as_str().unwrap(),
        guide.home.path().to_str().unwrap()
    );
}
