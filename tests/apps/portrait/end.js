// Ends in the way that HOW says; as a cluster worker when it listens.
const cluster = require('cluster')
const fs = require('fs')
const http = require('http')

const nasty = { toString() { throw new Error('toString') }, get stack() { throw new Error('stack') } }
const fail = () => { throw new Error(`thrown by ${process.env.HOW}`) }
const beat = () => process.emit('internalMessage', { cmd: 'NODE_ROTA', act: 'ping', n: 4e9 })
const soon = (work) => setTimeout(work, 50)

const ways = {
  nothing: () => {},
  timer: () => soon(() => console.log('over')),
  'after-beats': () => { beat(); beat(); soon(() => { beat(); console.log('over') }) },
  exit: () => process.exit(3),
  'exit-code': () => { process.exitCode = 4 },
  throw: fail,
  'throw-late': () => soon(fail),
  'throw-nothing': () => { throw null },
  'throw-nasty': () => { throw nasty },
  'throw-text': () => { throw 'text' },
  'throw-in-handler': () => {
    const server = http.createServer(fail).listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => http.get({ port: server.address().port }).on('error', () => {}))
  },
  rejection: () => { Promise.reject(new Error('rejected')) },
  'rejection-of-nothing': () => { Promise.reject() },
  'rejection-handled': () => { process.on('unhandledRejection', (reason) => { console.log('handled', String(reason)); process.exit(0) }); Promise.reject(new Error('rejected')) },
  caught: () => {
    process.on('uncaughtException', (error, origin) => console.log('caught', error.message, origin))
    soon(fail)
    setTimeout(() => process.exit(5), 200)
  },
  'caught-and-thrown': () => { process.on('uncaughtException', fail); soon(fail) },
  prepared: () => { Error.prepareStackTrace = (error, frames) => `prepared: ${error.message}, ${frames.length > 0}`; soon(fail) },
  monitored: () => { process.on('uncaughtExceptionMonitor', (error) => console.log('monitored', error.message)); soon(fail) },
  'before-exit': () => { process.on('beforeExit', (code) => console.log('before exit', code)); process.on('exit', (code) => console.log('exit', code)) },
  'before-exit-more': () => { process.once('beforeExit', () => soon(() => { console.log('one more'); process.exitCode = 6 })) },
  disconnect: () => {
    process.on('disconnect', () => console.log('disconnected'))
    process.disconnect()
    soon(() => console.log('lives on', process.connected))
  },
  'no-listeners': () => { process.removeAllListeners('disconnect'); process.on('message', () => {}); soon(() => { console.log('lives'); process.removeAllListeners('message') }) },
  'own-send': () => {
    const send = process.send
    process.send = () => { throw new Error('not yours') }
    beat()
    soon(() => { process.send = send; process.send('ready', (error) => { console.log('sent', error); process.exit(0) }) })
  },
  signal: () => { process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 10000) },
  'signal-handled': () => { process.on('SIGTERM', () => process.exit(7)); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 10000) },
  usr1: () => { process.on('SIGUSR1', () => { console.log('usr1'); process.exit(0) }); process.kill(process.pid, 'SIGUSR1'); setTimeout(() => {}, 10000) },
  mapped: () => {
    // Names the line 7 of original.ts for its own line 1.
    const map = { version: 3, sources: ['original.ts'], names: [], mappings: 'AAMA' }
    const file = `${process.env.REPORT}.mapped.js`
    fs.writeFileSync(file, `soon(() => { throw new Error('mapped') })\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}\n`)
    globalThis.soon = soon
    require(file)
  },
  domain: () => {
    const domain = require('domain').create()
    domain.on('error', (error) => { console.log('domain', error.message); process.exit(8) })
    domain.run(() => soon(fail))
  },
  warning: () => { process.emitWarning('careful', 'DeprecationWarning', 'X1') },
}

const way = ways[process.env.HOW]
if (cluster.isWorker) http.createServer().listen(0, '127.0.0.1', () => setTimeout(way, 200))
else way()
