'use strict';
// The sample server of the benchmark: unmodified Node, no signal code, no library.
//   /            answers at once
//   /wait?ms=N   answers after N milliseconds
// Every answer names its process in `x-worker`.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const worker = String(process.pid);

function answer(res) {
  res.setHeader('x-worker', worker);
  res.end('on duty\n');
}

const server = http.createServer((req, res) => {
  const wait = /^\/wait\?ms=(\d+)$/.exec(req.url);
  if (wait) setTimeout(answer, Number(wait[1]), res);
  else answer(res);
});

server.listen(Number(process.env.PORT), () => {
  // The benchmark counts these files to know that all workers are there.
  const folder = process.env.BENCH_READY;
  if (folder) fs.writeFileSync(path.join(folder, worker), '');
});

module.exports = server;
