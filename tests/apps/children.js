// Starts children of its own: a plain one, one in a session of its own, and one that has lost its parent.
const { spawn } = require('child_process')
const fs = require('fs')
const http = require('http')

// A file of its own: several workers do this at once.
const orphan = `${process.env.REPORT}.orphan.${process.pid}`
const pids = []
pids.push(spawn('sleep', ['1000'], { stdio: 'ignore' }).pid)
pids.push(spawn('sleep', ['1000'], { stdio: 'ignore', detached: true }).pid)
spawn('sh', ['-c', `setsid sleep 1000 & echo $! > ${orphan}`], { stdio: 'ignore' }).on('exit', () => {
  pids.push(Number(fs.readFileSync(orphan, 'utf8')))
  fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, pids }) + '\n')
  http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid }))).listen(0)
})
