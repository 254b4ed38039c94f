'use strict';
// The sample server with the signal code that guides recommend: stop listening, let requests end, exit.

const server = require('./server.js');

function leave() {
  server.close(() => process.exit(0));
}

process.on('SIGINT', leave);
process.on('SIGTERM', leave);
