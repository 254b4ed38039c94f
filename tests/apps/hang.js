// A server that can be made to hang in several ways.
const express = require('express')
const http = require('http')

const app = express()

function spinForever() { for (;;) { /* on purpose */ } }
function catastrophe(text) { return /^(a+)+$/.test(text) }
function hugeJson() { return JSON.parse(`[${'[1,2,3],'.repeat(40e6)}0]`) }
function waitForNobody() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) }
function block(ms) { const end = Date.now() + ms; while (Date.now() < end); }

app.get('/', (req, res) => res.json({ pid: process.pid }))
app.get('/spin', () => spinForever())
app.get('/regex', (req, res) => res.json(catastrophe('a'.repeat(60) + '!')))
app.get('/json', (req, res) => res.json(hugeJson().length))
app.get('/wait', () => waitForNobody())
app.get('/sync', () => require('child_process').execSync('sleep 1000'))
app.get('/block', (req, res) => { block(Number(req.query.ms)); res.json({ pid: process.pid }) })

if (process.env.HANG_ON_SIGTERM) process.on('SIGTERM', () => process.exit(0))
if (process.env.BLOCK_AT_START) block(Number(process.env.BLOCK_AT_START))
const server = http.createServer(app)
server.listen(Number(process.env.PORT || 0), () => {
  if (process.env.BLOCK_WHEN_LISTENING) block(Number(process.env.BLOCK_WHEN_LISTENING))
})
