// A TCP server that says its pid, then echoes.
const net = require('net')

net.createServer((socket) => {
  socket.on('error', () => {})
  socket.write(`${process.pid}\n`)
  socket.pipe(socket)
}).listen(0)
