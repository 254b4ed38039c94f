// Answers from a worker thread: an agent must leave those alone.
const http = require('http')
const { Worker, isMainThread, parentPort } = require('worker_threads')

if (isMainThread) {
  const thread = new Worker(__filename)
  const waiting = []
  thread.on('message', (answer) => waiting.shift().end(JSON.stringify({ pid: process.pid, answer })))
  http.createServer((req, res) => { waiting.push(res); thread.postMessage(req.url) }).listen(0)
} else {
  parentPort.on('message', (url) => parentPort.postMessage(`thread:${url}`))
}
