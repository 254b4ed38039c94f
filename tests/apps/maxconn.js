// Takes one connection at a time.
const http = require('http')

const server = http.createServer((req, res) => {
  const ms = Number(new URL(req.url, 'http://localhost').searchParams.get('ms') || 0)
  setTimeout(() => res.end(JSON.stringify({ pid: process.pid })), ms)
})
server.maxConnections = 1
server.listen(0)
