// A Node server for fork mode: has a channel, but is no cluster worker.
const cluster = require('cluster')
const http = require('http')

http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid, isWorker: cluster.isWorker, channel: Boolean(process.send) })))
  .listen(Number(process.env.PORT), '127.0.0.1', () => { if (process.env.SAY_READY) process.send('ready') })
