// Writes much to both outputs, then listens.
const http = require('http')

for (let i = 0; i < Number(process.env.LINES || 100); i++) {
  console.log(`out ${i}`)
  console.error(`err ${i}`)
}
http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid }))).listen(0)
