// Everything of itself that a program can look at, as JSON. Lists become objects, so that a difference has a name.
const loaded = [...process.moduleLoadList]

const names = (list) => Object.fromEntries(Array.from(list, (name) => [String(name), true]))
const listeners = (emitter) => Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]))

// What kind of property it is, without touching what only comes to life when it is touched.
const kind = ({ get, value, writable, enumerable, configurable }) => {
  const flags = [writable && 'w', enumerable && 'e', configurable && 'c'].filter(Boolean).join('')
  if (get) return `accessor ${flags} ${get}`
  // Whoever replaces a function of Node's leaves a trace here.
  return `${typeof value} ${flags} ${typeof value === 'function' ? value : ''}`
}

const shape = (object) => Object.fromEntries(Reflect.ownKeys(object).map((key) => [String(key), kind(Object.getOwnPropertyDescriptor(object, key))]))

const portrait = (main) => {
  const Module = require('module')
  return {
    env: { ...process.env },
    execArgv: process.execArgv,
    argv: process.argv,
    argv0: process.argv0,
    title: process.title,
    execPath: process.execPath,
    debugPort: process.debugPort,
    connected: process.connected,
    flags: process.allowedNodeEnvironmentFlags.size,
    preloaded: process._preload_modules,
    process: shape(process),
    prototype: shape(Object.getPrototypeOf(process)),
    globals: shape(globalThis),
    object: shape(Object.prototype),
    array: shape(Array.prototype),
    errors: shape(Error),
    events: listeners(process),
    domain: process.domain === undefined ? 'none' : String(process.domain),
    main: require.main && require.main.filename,
    paths: main && main.paths,
    parent: main && (main.parent ? main.parent.id : main.parent),
    children: main && main.children.map((child) => child.id),
    cache: names(Object.keys(require.cache)),
    found: names(Object.keys(Module._pathCache)),
    module: shape(Module),
    extensions: names(Object.keys(Module._extensions)),
    // User's hooks put it there, when they see a module that is loaded.
    hooked: globalThis[Symbol.for('portrait.hooked')] || [],
    // In no order that means anything.
    resources: process.getActiveResourcesInfo().sort(),
    handles: process._getActiveHandles().map((handle) => handle.constructor.name).sort(),
    requests: process._getActiveRequests().map((request) => request.constructor.name),
    loaded: names(loaded),
  }
}

module.exports = { portrait, shape, listeners }
