// Requests with undici (keep-alive pool, and pipelining) until the file in argv exists; prints {ok, failed, errors} as JSON.
const fs = require('fs')
const { Pool } = require('undici')

const [, , port, stop] = process.argv
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16, pipelining: Number(process.argv[4] || 1) })
const result = { ok: 0, failed: 0, errors: [], pids: [] }
const pids = new Set()
let running = true
const timer = setInterval(() => { if (fs.existsSync(stop)) { running = false; clearInterval(timer) } }, 20)

const loop = async () => {
  while (running) {
    try {
      const { statusCode, body } = await pool.request({ path: '/', method: 'GET' })
      pids.add((await body.json()).pid)
      if (statusCode !== 200) throw new Error(`status ${statusCode}`)
      result.ok++
    } catch (error) {
      result.failed++
      if (result.errors.length < 5) result.errors.push(`${error.code} ${error.message}`)
    }
  }
}
console.log('running')
Promise.all(Array.from({ length: 16 }, loop)).then(async () => {
  await pool.close()
  console.log(JSON.stringify({ ...result, pids: [...pids] }))
})
