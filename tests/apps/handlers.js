// Cleans up on a stop signal, and tells which one it was. Something stays open, as a database pool would: a worker
// with nothing open at all ends by itself when its last connection has, before any signal.
const fs = require('fs')
const http = require('http')

const report = (entry) => fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, ...entry }) + '\n')
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH']) {
  process.on(signal, () => {
    report({ signal })
    if (signal === (process.env.STOP_ON || 'SIGTERM')) setTimeout(() => { report({ cleaned: true }); process.exit(0) }, 20)
  })
}
http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid }))).listen(0, () => report({ up: true }))
setInterval(() => {}, 1000)
