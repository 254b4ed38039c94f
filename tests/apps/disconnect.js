// Leaves by itself, in each of the ways that Node offers.
const cluster = require('cluster')
const fs = require('fs')
const http = require('http')

const report = (entry) => fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, ...entry }) + '\n')
process.on('exit', (code) => report({ exit: code, voluntary: cluster.worker.exitedAfterDisconnect === true }))
cluster.worker.on('disconnect', () => report({ event: 'disconnect' }))

http.createServer((req, res) => {
  res.end(JSON.stringify({ pid: process.pid }), () => {
    if (req.url === '/worker-disconnect') cluster.worker.disconnect()
    if (req.url === '/process-disconnect') process.disconnect()
    if (req.url === '/worker-kill') cluster.worker.kill()
  })
}).listen(0)
