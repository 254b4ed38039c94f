// Starts children of its own: a plain one, one in a session of its own, and one that has lost its parent.
const { spawn } = require('child_process')
const fs = require('fs')
const http = require('http')

const pids = []
pids.push(spawn('sleep', ['1000'], { stdio: 'ignore' }).pid)
pids.push(spawn('sleep', ['1000'], { stdio: 'ignore', detached: true }).pid)
spawn('sh', ['-c', `setsid sleep 1000 & echo $! >> ${process.env.REPORT}.orphan`], { stdio: 'ignore' }).on('exit', () => {
  pids.push(Number(fs.readFileSync(`${process.env.REPORT}.orphan`, 'utf8').trim().split('\n').pop()))
  fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, pids }) + '\n')
  http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid }))).listen(0)
})
