// A server that gets stuck, and dies, in every way that there is.
const fs = require('fs')
const http = require('http')
const { execSync } = require('child_process')

function spinForever() { while (true); }
function evilExpression() { /^(a+)+$/.test('a'.repeat(40) + 'b') }
function parseHugeJson() {
  const text = '[' + '[1,2,3],'.repeat(8e6) + '1]'
  for (;;) JSON.parse(text)
}
function waitOnAtomics() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Infinity) }
function readFifo() { fs.readFileSync(process.env.FIFO) }
function runSleep() { execSync('sleep 100') }
function fillHeap() { const all = []; for (;;) all.push(new Array(1000).fill({})) }
function again(n) { return n === 0 ? spinForever() : again(n - 1) + 1 }

let kept

const routes = {
  '/': (res) => res.end(String(process.pid)),
  '/spin': spinForever,
  '/deep': () => again(1000),
  '/regex': evilExpression,
  '/json': parseHugeJson,
  '/atomics': waitOnAtomics,
  '/fifo': readFifo,
  '/exec': runSleep,
  '/heap': fillHeap,
  '/fill': (res) => { kept = Array.from({ length: 2e5 }, (_, n) => ({ n })); res.end() },
  '/abort': () => process.abort(),
  '/throw': () => { throw new TypeError('thrown on request') },
  '/reject': () => { Promise.reject(new Error('rejected on request')) },
  '/half': (res) => { process.stderr.write('half a line'); res.end() },
  '/rest': (res) => { process.stderr.write(' and its rest\n'); res.end() },
}

http.createServer((req, res) => routes[req.url](res)).listen(0)
