'use strict';
// Node's own cluster with a rolling restart on SIGUSR2, written with care: the new worker listens
// before the old one is asked to leave, and the old one has time to.
// usage: node primary.js SCRIPT WORKERS   (NODE_CLUSTER_SCHED_POLICY=rr|none)

const cluster = require('node:cluster');

const KILL_AFTER_MS = 2000;
const [script, count] = process.argv.slice(2);

cluster.setupPrimary({ exec: script, args: [] });
for (let i = 0; i < Number(count); i += 1) cluster.fork();

cluster.on('exit', (worker) => {
  if (!worker.exitedAfterDisconnect) cluster.fork();
});

function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, resolve));
}

async function replace(old) {
  await once(cluster.fork(), 'listening');
  const gone = once(old, 'exit');
  old.disconnect();
  const timer = setTimeout(() => old.process.kill('SIGKILL'), KILL_AFTER_MS);
  await gone;
  clearTimeout(timer);
}

let reloading = Promise.resolve();
process.on('SIGUSR2', () => {
  reloading = reloading.then(async () => {
    for (const old of Object.values(cluster.workers)) await replace(old);
    process.stdout.write('reloaded\n');
  });
});
