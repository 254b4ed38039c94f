// Listens as LISTEN (JSON, the argument of server.listen) says; appends what happens to REPORT, one JSON value per line.
const fs = require('fs')
const http = require('http')

const report = (entry) => fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, ...entry }) + '\n')
const server = http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid })))
server.on('error', (error) => {
  report({ error: error.code, syscall: error.syscall })
  if (process.env.RETRY) setTimeout(() => server.listen(JSON.parse(process.env.LISTEN)), 50)
})
server.on('listening', () => report({ listening: server.address() }))
server.listen(JSON.parse(process.env.LISTEN))
setInterval(() => {}, 1000)
