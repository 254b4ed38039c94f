// TypeScript that Node strips by itself (22.18 and later, 24).
import http from 'node:http'

interface Answer { pid: number; word: string }
const answer = (word: string): Answer => ({ pid: process.pid, word })

http.createServer((_req, res) => res.end(JSON.stringify(answer('typed')))).listen(0)
