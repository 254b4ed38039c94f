// Opens N WebSockets to the port in argv, echoes on each until all have answered; prints the pids as JSON.
const { WebSocket } = require('ws')

const open = (port) => new Promise((resolve, reject) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
  let pid
  socket.on('error', reject)
  socket.on('message', (data) => {
    const text = String(data)
    if (text.startsWith('pid ')) { pid = Number(text.slice(4)); return socket.send('hello') }
    if (text === 'echo hello') { socket.close(); resolve(pid) }
  })
})

Promise.all(Array.from({ length: Number(process.argv[3] || 8) }, () => open(process.argv[2])))
  .then((pids) => console.log(JSON.stringify({ pids })))
