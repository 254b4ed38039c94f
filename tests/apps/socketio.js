// socket.io with long polling and WebSockets: needs a client's requests to reach the same worker.
const http = require('http')
const { Server } = require('socket.io')

const server = http.createServer()
new Server(server).on('connection', (socket) => {
  socket.emit('hello', process.pid)
  socket.on('add', (a, b, done) => done(a + b))
})
server.listen(0)
