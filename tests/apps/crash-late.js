// Listens, and crashes two seconds later.
const http = require('http')

http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid }))).listen(0)
setTimeout(() => { throw new Error('broken after two seconds') }, 2000)
