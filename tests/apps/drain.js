// An HTTP server (HTTPS with TLS_DIR) whose end can be followed: it reports what happens to it. Its settings come from
// the environment.
const fs = require('fs')
const http = require('http')
const https = require('https')

const report = (what, more) =>
  fs.appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid, what, ...more }) + '\n')
const { properties = {}, ...options } = JSON.parse(process.env.SETTINGS || '{}')

const about = (req) => JSON.stringify({
  pid: process.pid,
  address: req.socket.remoteAddress,
  port: req.socket.remotePort,
  url: req.url,
})

const routes = {
  '/': (req, res) => res.end(about(req)),
  '/slow': (req, res, query) => {
    report('running', { url: req.url })
    setTimeout(() => res.end(about(req)), Number(query.get('ms')))
  },
  // An answer when the test wants it: as soon as the file GO exists.
  '/wait': (req, res) => {
    report('running', { url: req.url })
    const look = setInterval(() => {
      if (!fs.existsSync(process.env.GO)) return
      clearInterval(look)
      res.end(about(req))
    }, 10)
  },
  '/big': (req, res, query) => {
    report('running', { url: req.url })
    res.end(Buffer.alloc(Number(query.get('bytes')), 'x'))
  },
  '/echo': (req, res) => {
    report('running', { url: req.url })
    let bytes = 0
    req.on('data', (data) => { bytes += data.length })
    req.on('end', () => res.end(JSON.stringify({ pid: process.pid, bytes })))
  },
  '/events': (req, res, query) => {
    report('running', { url: req.url })
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    let left = Number(query.get('count'))
    const tick = setInterval(() => {
      res.write(`data: ${--left}\n\n`)
      if (left === 0) { clearInterval(tick); res.end() }
    }, 100)
    res.on('close', () => clearInterval(tick))
  },
}

const handle = (req, res) => {
  const url = new URL(req.url, 'http://localhost')
  res.setHeader('x-worker', String(process.pid))
  const route = routes[url.pathname]
  if (!route) { res.statusCode = 404; return res.end('{}') }
  route(req, res, url.searchParams)
}
const read = (name) => fs.readFileSync(`${process.env.TLS_DIR}/${name}.pem`)
const server = process.env.TLS_DIR
  ? https.createServer({ ...options, key: read('key'), cert: read('cert') }, handle)
  : http.createServer(options, handle)
Object.assign(server, properties)
if (process.env.INACTIVITY) server.setTimeout(Number(process.env.INACTIVITY))

process.on('rota:drain', ({ deadline }) => report('drain', { left: deadline - Date.now() }))
process.on('rota:goodbye', ({ deadline }) => report('goodbye', { left: deadline - Date.now() }))
for (const event of (process.env.CLOSE_ON || '').split(',').filter(Boolean)) {
  process.on(event, () => {
    report(event)
    server.close(() => { report('closed'); process.exit(0) })
  })
}
server.listen(Number(process.env.PORT || 0), () => { if (process.env.READY) process.send('ready') })
