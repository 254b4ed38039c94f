// Makes ten requests over HTTP/2 to the origin in argv, each on a connection of its own; prints the pids as JSON.
const http2 = require('http2')

const request = (origin) => new Promise((resolve, reject) => {
  const client = http2.connect(origin, { rejectUnauthorized: false })
  client.on('error', reject)
  const stream = client.request({ ':path': '/' })
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (data) => { text += data })
  stream.on('end', () => { client.close(); resolve(JSON.parse(text).pid) })
})

;(async () => {
  const pids = []
  for (let i = 0; i < 10; i++) pids.push(await request(process.argv[2]))
  console.log(JSON.stringify({ pids }))
})()
