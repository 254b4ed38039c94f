// Opens socket.io clients over long polling (and no upgrade), calls each; prints the pids as JSON.
const { io } = require('socket.io-client')

const open = (port) => new Promise((resolve, reject) => {
  const socket = io(`http://127.0.0.1:${port}`, { transports: [process.argv[3] || 'polling'], forceNew: true, reconnection: false })
  socket.on('connect_error', reject)
  socket.on('hello', (pid) => socket.emit('add', 2, 3, (sum) => { socket.close(); sum === 5 ? resolve(pid) : reject(new Error('sum')) }))
})

Promise.all(Array.from({ length: 8 }, () => open(process.argv[2])))
  .then((pids) => console.log(JSON.stringify({ pids })), (error) => { console.error(error); process.exit(1) })
