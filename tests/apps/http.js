// A plain HTTP server, written as if rota did not exist. It says who answered, and misbehaves on request.
const cluster = require('cluster')
const fs = require('fs')
const http = require('http')
const path = require('path')

const started = Date.now()
const versionFile = path.join(__dirname, 'version.txt')
const version = fs.existsSync(versionFile) ? fs.readFileSync(versionFile, 'utf8').trim() : '0'

const about = () => ({
  pid: process.pid,
  worker: cluster.worker ? cluster.worker.id : 0,
  isWorker: cluster.isWorker,
  isPrimary: cluster.isPrimary,
  slot: process.env.NODE_APP_INSTANCE,
  node: process.versions.node,
  version,
})

const routes = {
  '/': (q, res) => res.end(JSON.stringify(about())),
  '/slow': (q, res) => setTimeout(() => res.end(JSON.stringify(about())), Number(q.get('ms') || 300)),
  '/argv': (q, res) => res.end(JSON.stringify({ argv: process.argv, execArgv: process.execArgv, cwd: process.cwd() })),
  '/env': (q, res) => res.end(JSON.stringify(process.env)),
  '/channel': (q, res) => res.end(JSON.stringify({ connected: Boolean(process.connected) })),
  '/exit': (q, res) => { res.end('{}'); setImmediate(() => process.exit(Number(q.get('code') || 0))) },
  '/throw': () => { throw new Error('thrown on request') },
  '/print': (q, res) => { console.log(q.get('out') || ''); console.error(q.get('err') || ''); res.end('{}') },
  '/block': (q, res) => { const end = Date.now() + Number(q.get('ms')); while (Date.now() < end); res.end('{}') },
  '/stream': (q, res) => {
    res.write('begin ')
    setTimeout(() => res.end('end'), Number(q.get('ms') || 300))
  },
}

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://localhost')
  const route = routes[url.pathname]
  res.setHeader('x-worker', String(process.pid))
  if (!route) { res.statusCode = 404; return res.end('{}') }
  route(url.searchParams, res)
})
server.listen(Number(process.env.PORT || 0), process.env.HOST)
console.log('up', process.pid, 'after', Date.now() - started, 'ms')
