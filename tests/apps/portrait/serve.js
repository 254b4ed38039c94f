// Serves the portrait of its process: as it was at the start, as it is after heartbeats, and those of its children.
const { portrait, shape, listeners } = require('./portrait')

module.exports = (main) => {
  const first = portrait(main)
  const modules = ['async_hooks', 'child_process', 'cluster', 'diagnostics_channel', 'dns', 'events', 'fs', 'http', 'http2', 'https', 'net', 'perf_hooks', 'process', 'stream', 'timers', 'tls', 'util', 'v8', 'vm', 'worker_threads']
  const cluster = require('cluster')
  const http = require('http')
  const net = require('net')
  const { AsyncLocalStorage } = require('async_hooks')

  const storage = new AsyncLocalStorage()
  const received = { process: [], worker: [] }
  process.on('message', (message) => received.process.push(message))
  if (cluster.worker) cluster.worker.on('message', (message) => received.worker.push(message))

  const late = () => ({
    ...portrait(main),
    server: listeners(server),
    sockets: server.eventNames().length,
    listening: server.listening,
    worker: cluster.worker ? listeners(cluster.worker) : null,
    cluster: listeners(cluster),
    received,
    modules: Object.fromEntries(modules.map((name) => {
      const api = require(name)
      return [name, { own: shape(api), ...Object.fromEntries(Object.entries(api).filter(([, value]) => typeof value === 'function' && value.prototype).map(([key, value]) => [key, shape(value.prototype)])) }]
    })),
  })

  // A heartbeat does all that it ever does when it has been asked a few times.
  const beat = (times, done) => {
    if (times === 0) return done()
    process.emit('internalMessage', { cmd: 'NODE_ROTA', act: 'ping', n: 4e9 + times })
    setTimeout(beat, 20, times - 1, done)
  }

  const routes = {
    '/first': (reply) => reply(first),
    '/late': (reply) => beat(5, () => reply(late())),
    '/store': (reply) => reply({ pid: process.pid, store: storage.getStore() === undefined ? null : storage.getStore(), domain: process.domain || null }),
    '/children': (reply) => require('./children')(reply),
  }

  const answer = (request, response) => {
    const route = routes[request.url]
    if (!route) { response.statusCode = 404; return response.end('{}') }
    route((value) => response.end(JSON.stringify(value)))
  }
  const server = http.createServer(answer)
  storage.run('boot', () => server.listen(Number(process.env.PORT || 0), '127.0.0.1'))
}
