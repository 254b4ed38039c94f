// Runs, but never listens.
require('http').createServer(() => {})
setInterval(() => {}, 1000)
