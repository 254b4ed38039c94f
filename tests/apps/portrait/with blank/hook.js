// As tracing libraries do it: sees every module that is loaded from now on.
const Module = require('module')

const hooked = []
Object.defineProperty(globalThis, Symbol.for('portrait.hooked'), { value: hooked, enumerable: false })
const original = Module._load
Module._load = function (request, parent, ...rest) {
  if (hooked.length < 1000) hooked.push(`${request} for ${parent && parent.id}`)
  return original.call(this, request, parent, ...rest)
}
