// A Deno server. It runs in fork mode.
const port = Number(Deno.env.get('PORT'))
Deno.serve({ port, hostname: '127.0.0.1' }, () => new Response(JSON.stringify({ pid: Deno.pid, deno: Deno.version.deno })))
