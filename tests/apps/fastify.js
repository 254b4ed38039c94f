const app = require('fastify')({ logger: false })

app.get('/', async () => ({ pid: process.pid }))
app.listen({ port: Number(process.env.PORT || 0), host: '127.0.0.1' })
