// HTTP/2 without TLS, and HTTP/2 with TLS when TLS_DIR is set.
const fs = require('fs')
const http2 = require('http2')

const read = (name) => fs.readFileSync(`${process.env.TLS_DIR}/${name}.pem`)
const server = process.env.TLS_DIR
  ? http2.createSecureServer({ key: read('key'), cert: read('cert') })
  : http2.createServer()
server.on('stream', (stream) => {
  stream.respond({ ':status': 200 })
  stream.end(JSON.stringify({ pid: process.pid }))
})
server.listen(0)
