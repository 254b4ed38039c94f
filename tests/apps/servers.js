// Several servers in one worker: two HTTP on ports of the kernel's choice, one on a Unix socket, one UDP.
const dgram = require('dgram')
const fs = require('fs')
const http = require('http')
const os = require('os')
const path = require('path')

const report = (name, address) =>
  fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, name, address }) + '\n')
const web = (name, where) => {
  const server = http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid, name })))
  server.listen(where, () => report(name, server.address()))
}
web('first', 0)
web('second', 0)
web('unix', path.join(process.env.SOCKETS || os.tmpdir(), 'web.sock'))
const udp = dgram.createSocket('udp4')
udp.on('message', (data, peer) => udp.send(`${process.pid}`, peer.port, peer.address))
udp.bind(0, () => report('udp', udp.address()))
