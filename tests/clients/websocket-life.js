// Holds N WebSockets to the port and path in argv until each is closed, with a message on each every 50 ms, and prints
// what happens to them: "open" when all are, a line for each that is closed, at the end all as JSON.
const { WebSocket } = require('ws')

const [port, count, path = '/', echo = 'echo'] = process.argv.slice(2)
const lives = []
let open = 0

for (let at = 0; at < Number(count); at++) {
  const life = { pid: 0, code: 0, sent: 0, echoed: 0, error: null }
  lives.push(life)
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  let timer
  socket.on('open', () => {
    if (echo === 'echo') timer = setInterval(() => { life.sent++; socket.send('hello') }, 50)
    if (++open === Number(count)) console.log('open')
  })
  socket.on('message', (data) => {
    const text = String(data)
    if (text.startsWith('pid ')) life.pid = Number(text.slice(4))
    if (text === 'echo hello') life.echoed++
  })
  socket.on('error', (error) => { life.error = error.message })
  socket.on('close', (code) => {
    clearInterval(timer)
    life.code = code
    console.log('closed', code)
    if (lives.every((each) => each.code !== 0)) console.log(JSON.stringify({ lives }))
  })
}
