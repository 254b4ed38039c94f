// Opens a WebSocket, prints "open <pid>", then a line for each thing that happens to it. Ends when it is closed.
const { WebSocket } = require('ws')

const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`)
socket.on('message', (data) => { if (String(data).startsWith('pid ')) console.log('open', String(data).slice(4)) })
socket.on('close', (code) => console.log('closed', code))
socket.on('error', (error) => console.log('error', error.message))
