// HTTPS with a self-signed certificate; TLS_DIR holds key.pem and cert.pem.
const fs = require('fs')
const https = require('https')

const read = (name) => fs.readFileSync(`${process.env.TLS_DIR}/${name}.pem`)
https.createServer({ key: read('key'), cert: read('cert') }, (req, res) => {
  res.end(JSON.stringify({ pid: process.pid, reused: req.socket.isSessionReused() }))
}).listen(Number(process.env.PORT || 0))
