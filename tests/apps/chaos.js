// A server whose every connection and request can be found again: each process writes a file of its own, one line per
// event, `<unix milliseconds> <event> [<client's port>]`. It survives a SIGKILL, since the kernel has each line at once.
const fs = require('fs')
const http = require('http')

const file = fs.openSync(`${process.env.CHAOS_DIR}/${process.pid}`, 'a')
const note = (event, port) => {
  // By the clock that no adjustment moves, so that an order is an order.
  const now = performance.timeOrigin + performance.now()
  fs.writeSync(file, `${now.toFixed(3)} ${event}${port === undefined ? '' : ` ${port}`}\n`)
}

note('start')
process.on('rota:drain', () => note('drain'))
process.on('exit', () => note('exit'))
// Only a signal reaches a certain worker, and no request waits for its answer.
process.on('SIGUSR2', () => { note('hang'); for (;;) { /* on purpose */ } })

// A connection is this process's from the moment at which it says so, just before the server hears of it.
process.prependListener('internalMessage', (message, handle) => {
  if (!handle || typeof handle.getpeername !== 'function') return
  const peer = {}
  handle.getpeername(peer)
  note('open', peer.port)
})

const broken = process.env.CHAOS_BROKEN
if (broken) note('broken')
if (broken === 'throws') throw new Error('broken on purpose')

const server = http.createServer((req, res) => {
  const port = req.socket.remotePort
  note('begin', port)
  res.on('finish', () => note('end', port))
  res.setHeader('x-worker', String(process.pid))
  const { searchParams, pathname } = new URL(req.url, 'http://localhost')
  // Enough output that a reader who does not read is noticed soon.
  console.log('request from', port, pathname, 'x'.repeat(300))
  setTimeout(() => res.end('done'), Number(searchParams.get('ms') || 0))
})
if (broken !== 'mute') {
  server.listen(Number(process.env.PORT || 0), () => {
    note('listen')
    if (broken === 'late') setTimeout(() => { throw new Error('broken on purpose, after a while') }, 200)
  })
} else {
  setInterval(() => {}, 1000)
}
