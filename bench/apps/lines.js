// Writes BENCH_MB megabytes of numbered lines to standard output, in blocks as a busy logger does, and stays.
'use strict'
const fs = require('fs')
const path = require('path')

const total = Number(process.env.BENCH_MB) * 1e6
const LINE = 100
const BLOCK = 640 // lines
const filler = 'x'.repeat(LINE)

function line (number) {
  const head = `line ${number} `
  return head + filler.slice(head.length + 1) + '\n'
}

let next = 0
const lines = Math.floor(total / LINE)
function write () {
  while (next < lines) {
    let block = ''
    for (const end = Math.min(next + BLOCK, lines); next < end; next++) block += line(next)
    if (process.stdout.write(block)) continue
    // In PM2's cluster mode `write` says no each time, and no event ever follows: who waits for it stands still.
    if (process.stdout.writableNeedDrain) return process.stdout.once('drain', write)
    return setImmediate(write)
  }
  process.stdout.write('the end\n')
}

fs.writeFileSync(path.join(process.env.BENCH_READY, 'begun'), String(Date.now()))
setInterval(() => {}, 1e6)
write()
