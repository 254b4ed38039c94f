const { portrait } = require('./portrait')
const { parentPort } = require('worker_threads')

// A thread has its own getters for these.
process.getActiveResourcesInfo = process.getActiveResourcesInfo || (() => [])
process._getActiveHandles = process._getActiveHandles || (() => [])
process._getActiveRequests = process._getActiveRequests || (() => [])
const own = portrait(module)
if (parentPort) parentPort.postMessage(own)
else if (process.send) process.send(own)
else process.stdout.write(JSON.stringify(own))
