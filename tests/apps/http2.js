// HTTP/2 without TLS, and HTTP/2 with TLS when TLS_DIR is set.
const fs = require('fs')
const http2 = require('http2')

const read = (name) => fs.readFileSync(`${process.env.TLS_DIR}/${name}.pem`)
const server = process.env.TLS_DIR
  ? http2.createSecureServer({ key: read('key'), cert: read('cert') })
  : http2.createServer()
server.on('stream', (stream, headers) => {
  stream.on('error', () => {})
  const ms = Number(new URL(headers[':path'], 'http://localhost').searchParams.get('ms') || 0)
  setTimeout(() => {
    if (stream.destroyed) return
    stream.respond({ ':status': 200 })
    stream.end(JSON.stringify({ pid: process.pid }))
  }, ms)
})
server.listen(0)
