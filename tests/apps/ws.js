// A WebSocket echo that says its pid first.
const http = require('http')
const { WebSocketServer } = require('ws')

const server = http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid })))
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.send(`pid ${process.pid}`)
  socket.on('message', (data) => socket.send(`echo ${data}`))
})
server.listen(0)
