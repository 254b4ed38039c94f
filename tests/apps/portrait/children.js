// The portraits of everything that a program can start.
const { execFile, exec, fork, spawn } = require('child_process')
const cluster = require('cluster')
const path = require('path')
const { SHARE_ENV, Worker } = require('worker_threads')

const child = path.join(__dirname, 'child.js')

const written = (running) => new Promise((done) => {
  let text = ''
  running.stdout.on('data', (chunk) => { text += chunk })
  running.on('close', (code) => done(text ? JSON.parse(text) : { code }))
})
const told = (running) => new Promise((done) => {
  running.once('message', (message) => { done(message); if (running.disconnect) running.disconnect(); else running.terminate() })
  running.once('error', (error) => done({ error: String(error) }))
})

module.exports = async (reply) => {
  const ways = {
    spawn: () => written(spawn(process.execPath, [child])),
    execFile: () => written(execFile(process.execPath, [child])),
    exec: () => written(exec(`"${process.execPath}" "${child}"`)),
    fork: () => told(fork(child)),
    thread: () => told(new Worker(child)),
    threadWithArguments: () => told(new Worker(child, { execArgv: ['--no-warnings'] })),
    threadWithEnvironment: () => told(new Worker(child, { env: { ...process.env } })),
    threadThatShares: () => told(new Worker(child, { env: SHARE_ENV })),
    threadInThread: () => told(new Worker(`new (require('worker_threads').Worker)(${JSON.stringify(child)}).once('message', (m) => require('worker_threads').parentPort.postMessage(m))`, { eval: true })),
  }
  if (cluster.isPrimary) {
    ways.cluster = () => {
      cluster.setupPrimary({ exec: child })
      return told(cluster.fork())
    }
  }
  const portraits = {}
  for (const [name, way] of Object.entries(ways)) portraits[name] = await way()
  reply(portraits)
}
