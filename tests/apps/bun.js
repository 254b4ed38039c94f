// A Bun server. It runs in fork mode.
Bun.serve({ port: Number(process.env.PORT), hostname: '127.0.0.1', fetch: () => Response.json({ pid: process.pid, bun: Bun.version }) })
