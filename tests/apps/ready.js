// Listens at once, but is ready only when the file GO exists; then says so.
const fs = require('fs')
const http = require('http')

http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid }))).listen(Number(process.env.PORT || 0))
const timer = setInterval(() => {
  if (!fs.existsSync(process.env.GO)) return
  clearInterval(timer)
  process.send('ready')
}, 20)
