// Says what comes by standard input, line by line, and when that ends. READ=never: leaves it alone; READ=close: closes it.
const fs = require('fs')
const http = require('http')
const readline = require('readline')

const { READ, PORT = 0 } = process.env

http.createServer((req, res) => res.end(String(process.pid))).listen(Number(PORT))

if (READ === 'close') {
  fs.closeSync(0)
} else if (READ !== 'never') {
  readline.createInterface({ input: process.stdin })
    .on('line', (line) => console.log(`${process.pid} got ${line}`))
    .on('close', () => console.log(`${process.pid} is at the end`))
}
