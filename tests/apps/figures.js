// An HTTP server that tells of itself: memory that grows, gauges, counters and health on request.
const http = require('http')

const kept = []
const routes = {
  '/': () => {},
  // Memory that counts as resident, and that nobody gives back.
  '/leak': (q) => { kept.push(Buffer.alloc(Number(q.get('mb')) * 1024 * 1024, 1)) },
  '/status': (q, res) => { res.statusCode = Number(q.get('code')) },
  '/gauge': (q) => { process.emit('rota:gauge', q.get('name'), Number(q.get('value'))) },
  '/counter': (q) => { process.emit('rota:counter', q.get('name'), Number(q.get('add'))) },
  '/well': () => { process.emit('rota:health', { ok: true }) },
  '/sick': (q) => { process.emit('rota:health', { ok: false, reason: q.get('reason'), code: 3 }) },
  // A hostile or careless app.
  '/wild': () => {
    for (let i = 0; i < 1000; i++) process.emit('rota:gauge', `g${i}`.padEnd(500, 'x'), [NaN, Infinity, -1e308, 'text'][i % 4])
    process.emit('rota:counter', { toString() { throw new Error('no name') } }, {})
    process.emit('rota:health', null)
    process.emit('rota:health', { ok: 'yes', reason: { deep: [] }, code: 'x' })
  },
  '/gc': () => { for (let i = 0; i < 40; i++) Array.from({ length: 100000 }, () => ({})) },
}

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://localhost')
  const answer = () => {
    res.setHeader('x-worker', String(process.pid))
    res.end(JSON.stringify({ pid: process.pid }))
  }
  if (url.pathname === '/slow') return setTimeout(answer, Number(url.searchParams.get('ms')))
  const route = routes[url.pathname]
  if (!route) res.statusCode = 404
  else route(url.searchParams, res)
  answer()
})
server.listen(Number(process.env.PORT || 0), '127.0.0.1')
