// Cleans up on a stop signal, and tells which one it was. Nothing but its server keeps it alive.
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
