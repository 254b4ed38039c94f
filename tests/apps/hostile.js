// Attacks the one who is at the other end of the channel, in the way that ATTACK names, once it serves.
const fs = require('fs')
const http = require('http')
const net = require('net')

const fd = process.channel.fd
const write = (data) => {
  for (let rest = Buffer.from(data); rest.length > 0;) {
    try { rest = rest.subarray(fs.writeSync(fd, rest)) } catch (error) { if (error.code !== 'EAGAIN') throw error }
  }
}
const line = (value) => write(JSON.stringify(value) + '\n')
const cluster = (value) => line({ cmd: 'NODE_CLUSTER', ...value })

const attacks = {
  garbage: () => write(Buffer.from(Array.from({ length: 1 << 16 }, (_, i) => (i * 7919) % 251))),
  unfinished: () => write('{"cmd":"NODE_CLUSTER","act":"que'),
  'long-line': () => { const chunk = 'x'.repeat(1 << 20); write('"'); for (let i = 0; i < 100; i++) write(chunk); write('"\n') },
  flood: () => { for (let i = 0; i < 200000; i++) line({ flood: i }) },
  'deep-json': () => write('['.repeat(1 << 20) + '\n'),
  handles: () => { for (let i = 0; i < 50; i++) process.send('take this', net.createServer().listen({ port: 0, exclusive: true })) },
  'forged-acks': () => { for (let i = 0; i < 1000; i++) { cluster({ ack: i, accepted: i % 2 === 0 }); line({ cmd: 'NODE_HANDLE_ACK' }); line({ cmd: 'NODE_HANDLE_NACK' }) } },
  'wrong-types': () => {
    for (const value of [-1, 1e300, null, 'x', {}, [], true]) {
      for (const act of ['queryServer', 'listening', 'close', 'exitedAfterDisconnect', 'online', 'newconn', 'nothing', value]) {
        cluster({ act, key: value, port: value, address: value, addressType: value, fd: value, index: value, flags: value, backlog: value, seq: value })
      }
    }
  },
  'many-listeners': () => { for (let i = 0; i < 20000; i++) cluster({ act: 'queryServer', seq: 1e6 + i, address: '127.0.0.1', port: 0, addressType: 4, fd: -1, index: 1000 + i, flags: 0, backlog: 1 }) },
  'close-channel': () => process.disconnect(),
  'half-close': () => { new net.Socket({ fd, readable: false }).end() },
  deaf: () => { process.channel.unref(); for (;;); },
}

http.createServer((req, res) => {
  if (req.url !== '/attack') return res.end(JSON.stringify({ pid: process.pid }))
  res.setHeader('connection', 'close')
  res.end(JSON.stringify({ pid: process.pid }), () => setTimeout(() => attacks[process.env.ATTACK](), 10))
}).listen(0)
