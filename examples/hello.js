// A server that knows nothing of rota: run it with `node`, or with rota on all cores.
const http = require('node:http');

const port = process.env.PORT || 3000;
const server = http.createServer((request, response) => {
  response.end(`hello from process ${process.pid}\n`);
});

server.listen(port, () => console.log(`listening on http://127.0.0.1:${port}`));
