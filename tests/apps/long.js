// Servers with connections that stay: WebSockets by a library (MODE=ws), by hand (MODE=hand), by socket.io (MODE=socketio),
// and a plain TCP echo (MODE=tcp). It reports how it ends.
const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const net = require('net')

const report = (what, more) =>
  fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, what, ...more }) + '\n')
process.on('rota:drain', ({ deadline }) => report('drain', { left: deadline - Date.now() }))
process.on('rota:goodbye', ({ deadline }) => report('goodbye', { left: deadline - Date.now() }))

const about = (req, res) => res.end(JSON.stringify({ pid: process.pid }))
const modes = {
  ws: () => {
    const { WebSocketServer } = require('ws')
    const server = http.createServer(about)
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.send(`pid ${process.pid}`)
      socket.on('message', (data) => socket.send(`echo ${data}`))
    })
    return server
  },
  socketio: () => {
    const server = http.createServer(about)
    new (require('socket.io').Server)(server)
    return server
  },
  // Says its pid in a text frame and sends frames back, unmasked: enough for small text messages.
  hand: () => http.createServer(about).on('upgrade', (req, socket) => {
    const key = req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
    const accept = crypto.createHash('sha1').update(key).digest('base64')
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`)
    const text = (words) => socket.write(Buffer.concat([Buffer.from([0x81, words.length]), Buffer.from(words)]))
    text(`pid ${process.pid}`)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      if ((data[0] & 15) !== 1) return
      const mask = data.subarray(2, 6)
      text('echo ' + data.subarray(6, 6 + (data[1] & 127)).map((byte, at) => byte ^ mask[at % 4]).toString())
    })
  }),
  tcp: () => net.createServer((socket) => {
    socket.on('error', () => {})
    socket.write(`${process.pid}\n`)
    socket.pipe(socket)
  }),
}
modes[process.env.MODE]().listen(0)
