// Exits with the code CODE as soon as it has started; appends a line to REPORT each time.
require('fs').appendFileSync(process.env.REPORT, JSON.stringify({ pid: process.pid }) + '\n')
console.error('leaving with', process.env.CODE)
process.exit(Number(process.env.CODE || 0))
