// Does not leave: neither when told to disconnect nor for a signal.
const cluster = require('cluster')
const http = require('http')

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => console.log('ignored', signal))
if (cluster.isWorker) cluster.worker.disconnect = () => {}
http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid }))).listen(0)
setInterval(() => {}, 1000)
