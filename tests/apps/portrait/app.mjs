import { createRequire } from 'node:module'

createRequire(import.meta.url)('./serve.js')(undefined)
