// Connects COUNT times over TLS to the port in argv, each time with the session of the first connection.
// Prints {pids, reused} as JSON.
const tls = require('tls')

const port = Number(process.argv[2])
const request = (session) => new Promise((resolve, reject) => {
  let ticket = session
  let text = ''
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, session, maxVersion: process.argv[3] || 'TLSv1.3' })
  socket.on('session', (fresh) => { ticket = fresh })
  socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
  socket.on('data', (data) => { text += data })
  socket.on('error', reject)
  socket.on('close', () => resolve({ ticket, reused: socket.isSessionReused(), ...JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) }))
})

;(async () => {
  const first = await request()
  const answers = []
  for (let i = 0; i < 12; i++) answers.push(await request(first.ticket))
  console.log(JSON.stringify({ first: first.pid, pids: answers.map((a) => a.pid), reused: answers.every((a) => a.reused) }))
})()
