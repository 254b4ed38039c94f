// Opens HTTP/2 streams to the origin in argv all the time, every fifth of them a slow one, until the file in argv
// exists; makes a new session when it is told GOAWAY, as clients do, and asks again there for streams that came too late
// for the old one and were never processed. Prints what became of the streams as JSON.
const fs = require('fs')
const http2 = require('http2')

const [origin, stop] = process.argv.slice(2)
const result = { ok: 0, failed: 0, late: 0, goaways: 0, sessions: 0, pids: [], errors: [] }
let session

const connect = () => {
  result.sessions++
  const mine = http2.connect(origin, { rejectUnauthorized: false })
  mine.on('goaway', () => { result.goaways++; if (session === mine) session = connect() })
  mine.on('error', (error) => { result.errors.push(error.message) })
  mine.on('close', () => { if (session === mine) session = connect() })
  return mine
}

const request = (path) => new Promise((resolve) => {
  const stream = session.request({ ':path': path })
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (data) => { text += data })
  stream.on('error', (error) => {
    if (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM) { result.late++; return resolve(request(path)) }
    result.failed++
    result.errors.push(error.message)
    resolve()
  })
  stream.on('end', () => {
    if (stream.rstCode !== 0 || text === '') { result.failed++; return resolve() }
    result.ok++
    const { pid } = JSON.parse(text)
    if (!result.pids.includes(pid)) result.pids.push(pid)
    resolve()
  })
})

const client = async (number) => {
  for (let at = number; !fs.existsSync(stop); at++) await request(at % 5 === 0 ? '/?ms=700' : '/?ms=2')
}

session = connect()
console.log('running')
Promise.all(Array.from({ length: 10 }, (_, number) => client(number))).then(() => {
  console.log(JSON.stringify(result))
  process.exit(0)
})
