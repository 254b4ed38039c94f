// Uses the channel for its own messages, large and many, and tells what it has received.
const http = require('http')
const net = require('net')

const received = []
process.on('message', (message) => received.push(message))

const send = (message) => new Promise((resolve) => process.send(message, (error) => resolve(error ? String(error) : 'sent')))

http.createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost')
  if (url.pathname === '/send') {
    const results = []
    for (const message of ['text', 42, null, { cmd: 'NOT_NODE' }, { type: 'x', data: [1, 2] }, 'x'.repeat(8 << 20)]) {
      results.push(await send(message))
    }
    const many = []
    for (let i = 0; i < 5000; i++) many.push(send({ number: i }))
    results.push(...(await Promise.all(many)).slice(0, 1))
    return res.end(JSON.stringify({ pid: process.pid, results }))
  }
  if (url.pathname === '/send-handle') {
    const extra = net.createServer().listen({ port: 0, exclusive: true })
    await new Promise((done) => extra.on('listening', done))
    const results = [await new Promise((done) => process.send('a server', extra, (e) => done(e ? String(e) : 'sent')))]
    extra.close()
    results.push(await send('after the handle'))
    return res.end(JSON.stringify({ pid: process.pid, results }))
  }
  res.end(JSON.stringify({ pid: process.pid, received }))
}).listen(0)
