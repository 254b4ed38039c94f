// An ECMAScript module with a top-level await.
import cluster from 'node:cluster'
import http from 'node:http'

const word = await Promise.resolve('module')
http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid, word, isWorker: cluster.isWorker }))).listen(0)
