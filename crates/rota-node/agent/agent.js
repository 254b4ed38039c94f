// The agent: beats the heart, measures, drains. Preloaded into Node workers by rota; Node 18 and later.
//
// The files of this folder are put together in one function, this one last (see `SOURCE` in the crate), so that they
// share their names with each other and with nobody else: what the app can see of us is a few listeners on `process`.
// Whatever fails here must not fail the app.

// Nothing of our being loaded is left, also in a worker thread: it inherits Node's options, and so it loads us.
const preloaded = process._preload_modules;
if (Array.isArray(preloaded) && preloaded.length > 0 && require.resolve(preloaded[0]) === __filename) {
  // Another list: Node is just going through this one.
  Object.defineProperty(process, '_preload_modules', { value: preloaded.slice(1) });
}
delete require.cache[__filename];
const found = module.constructor._pathCache;
for (const key of Object.keys(found)) {
  if (found[key] === __filename) delete found[key];
}

const text = process.env.ROTA_AGENT;
// Not a process that rota started.
if (text === undefined) return;
delete process.env.ROTA_AGENT;
const settings = JSON.parse(text);
if (settings.node_options === null) delete process.env.NODE_OPTIONS;
else process.env.NODE_OPTIONS = settings.node_options;
if (typeof process.send !== 'function') return;

// Instead of `require`: what the app hooks into that later does not see us.
const { getBuiltinModule } = process;
const { _load } = module.constructor;
const builtin = (name) => (getBuiltinModule ? getBuiltinModule(name) : _load(`node:${name}`, module, false));
const net = require('net');
const channels = require('diagnostics_channel');
const { performance } = globalThis;
const now = performance.now.bind(performance);
const later = setTimeout;
const repeat = setInterval;
const cancel = clearTimeout;
const soon = setImmediate;
const nextTick = process.nextTick.bind(process);
// The app may replace it; its messages are none of our business, and ours none of its.
const send = process.send.bind(process);
const kill = process.kill.bind(process);
const parent = process.ppid;
// Loaded already in a cluster worker; in another process it would become a primary.
const cluster = settings.cluster ? require('cluster') : null;

// Everything that runs by itself goes through here: our own mistakes end here and not in the app. What runs with every
// request catches them itself: a function that all share has to be ready for all of them, and is never compiled for one.
function safely(work) {
  return function guarded(a, b, c) {
    try {
      return work.call(this, a, b, c);
    } catch {
      return undefined;
    }
  };
}

function say(message, handle) {
  if (!process.connected) return false;
  try {
    send({ cmd: 'NODE_ROTA', ...message }, handle, { swallowErrors: true }, () => {});
    return true;
  } catch {
    return false;
  }
}

// See `ticks.js`.
safely(keepTickShape)();

// ---- Servers and their connections ----

// What is known of a connection, from its first moment to its end.
//   server    who accepted it
//   id        the server's number, if others can have its connections
//   requests  had so far, also in other workers
//   open      requests that are being answered
//   last      the response to the newest of them
//   began     when the one in question began
//   idleSince when the last response was finished
//   keep      how long it may be idle, as its former worker said; until the next request
//   upgraded  it is no longer HTTP; `websocket` if it is one
//   told      it was told to close
//   seen      bytes that it had read when it was seen between two requests
//   outer     it is only the carrier of a TLS connection that has an entry of its own
const connections = new Map();
// Held weakly: to listen for their `close` would be seen.
const servers = new WeakMap();
const serverRefs = new Set();
const sessions = new Set();
const totals = {
  requests: 0, inFlight: 0, aborted: 0, bytes: 0, responses: [0, 0, 0, 0, 0],
};
let lastServer = 0;
// What the sender of the connection that is just being taken told of it.
let arriving = null;
let draining = null;

function serverOf(server) {
  let known = servers.get(server);
  if (known === undefined) {
    known = { id: 0, upgrades: false };
    servers.set(server, known);
    for (const ref of serverRefs) if (ref.deref() === undefined) serverRefs.delete(ref);
    serverRefs.add(new WeakRef(server));
    if (typeof server.updateSettings === 'function') server.on('session', onSession);
  }
  // Only where the app has such a listener, because Node upgrades as soon as there is one.
  if (!known.upgrades && server.listenerCount('upgrade') > 0) {
    known.upgrades = true;
    server.prependListener('upgrade', onUpgrade);
  }
  return known;
}

// Every server that rota shares out comes along here.
if (cluster !== null && typeof cluster._getServer === 'function') {
  const original = cluster._getServer;
  cluster._getServer = function _getServer(server, ...rest) {
    const result = original.call(this, server, ...rest);
    safely(() => {
      if (!(server instanceof net.Server)) {
        say({ act: 'server', id: 0 });
        return;
      }
      const known = serverOf(server);
      known.id = ++lastServer;
      // Behind the question that has just been sent: this is how rota knows which listener it is.
      say({ act: 'server', id: known.id, spare: settings.serve_on });
    })();
    return result;
  };
}

function newEntry(socket, server, id) {
  const entry = {
    server, id, requests: 0, open: 0, last: null, began: 0, idleSince: now(), keep: -1,
    upgraded: '', told: false, seen: 0, outer: false,
  };
  connections.set(socket, entry);
  socket.on('close', onClose);
  return entry;
}

const onSocket = safely(({ socket }) => {
  const server = socket._server || socket.server;
  if (!server) return;
  const known = serverOf(server);
  const entry = newEntry(socket, server, known.id);
  if (arriving !== null) {
    const told = arriving;
    arriving = null;
    restore(socket, entry, told);
  }
  if (draining !== null) sweepSoon();
});

function onClose() {
  const entry = connections.get(this);
  if (entry === undefined) return;
  connections.delete(this);
  totals.bytes += entry.outer ? 0 : this.bytesWritten || 0;
  if (entry.open > 0) {
    totals.aborted += entry.open;
    totals.inFlight -= entry.open;
  }
  if (draining !== null) sweepSoon();
}

// A TLS connection shows itself with its first request.
function tlsEntry(socket, server) {
  const carrier = connections.get(socket._parent);
  if (carrier !== undefined) carrier.outer = true;
  return newEntry(socket, server, 0);
}

const onUpgrade = safely((request, socket) => {
  const entry = connections.get(socket) || tlsEntry(socket, socket.server);
  entry.upgraded = String(request.headers.upgrade || 'connect').toLowerCase();
});

function onRequest({ response, socket, server }) {
  try {
    const entry = connections.get(socket) || tlsEntry(socket, server);
    entry.requests++;
    totals.requests++;
    totals.inFlight++;
    if (entry.open++ === 0) entry.began = now();
    entry.last = response;
    if (entry.keep >= 0) {
      // As Node does it for a connection that it has kept itself.
      entry.keep = -1;
      socket.setTimeout(server.timeout || 0);
    }
    const limit = server.maxRequestsPerSocket;
    if (limit > 0 && entry.requests >= limit) lastRequest(response);
    if (draining !== null && !canMove(socket, entry)) tellToClose(entry);
  } catch {
    // See `safely`.
  }
}

// Node counts the requests of a connection where we cannot reach, and from zero in each worker.
function lastRequest(response) {
  Object.defineProperty(response, 'maxRequestsOnConnectionReached', {
    configurable: true, enumerable: true, get: () => true, set() {},
  });
}

function onResponse({ response, socket }) {
  try {
    const entry = connections.get(socket);
    if (entry === undefined || entry.open === 0) return;
    const time = now();
    if (--entry.open === 0) entry.last = null;
    totals.inFlight--;
    count(response.statusCode, time - entry.began);
    entry.began = time;
    entry.idleSince = time;
    if (draining !== null) {
      nextTick(moveNow, socket);
      sweepSoon();
    }
  } catch {
    // See `safely`.
  }
}

const onSession = safely((session) => {
  sessions.add(session);
  session.once('close', () => {
    sessions.delete(session);
    if (draining !== null) sweepSoon();
  });
  session.on('stream', onStream);
  if (draining !== null) leaveSession(session);
});

const onStream = safely((stream) => {
  const began = now();
  totals.requests++;
  totals.inFlight++;
  stream.once('close', safely(() => {
    totals.inFlight--;
    const status = stream.sentHeaders && stream.sentHeaders[':status'];
    if (status && stream.rstCode === 0) count(status, now() - began);
    else totals.aborted++;
  }));
});

channels.subscribe('net.server.socket', onSocket);
channels.subscribe('http.server.request.start', onRequest);
channels.subscribe('http.server.response.finish', onResponse);

// ---- What rota says ----

process.prependListener('internalMessage', safely((message, handle) => {
  if (message.cmd === 'NODE_CLUSTER') {
    if (message.act === 'newconn' && message.rota) {
      arriving = message.rota;
      // The connection is taken, or refused, before that.
      queueMicrotask(() => { arriving = null; });
    }
    return;
  }
  if (message.cmd !== 'NODE_ROTA') return;
  switch (message.act) {
    case 'ping':
      // A turn of the timers later: that of the delay's measurement is due before, if the event loop was blocked.
      later(safely(() => say({ act: 'pong', n: message.n, ...figures() })), 0).unref();
      break;
    case 'drain':
      drain(message);
      break;
    case 'handed':
      handed(message.id, message.ok);
      break;
    case 'spare':
      keepSpare(message, handle);
      break;
    case 'inspector':
      inspector(message.open);
      break;
    case 'profile':
      profile(message);
      break;
    default:
  }
}));

// ---- What the app says ----

// Without a prototype: a counter may have the name of one of its methods.
const own = { gauges: Object.create(null), counters: Object.create(null), names: 0 };

// A bound on what a worker can make rota keep.
function mayName(map, name) {
  if (typeof name !== 'string' || name === '' || name.length > 64) return false;
  if (Object.hasOwn(map, name)) return true;
  return ++own.names <= 64;
}

process.on('rota:gauge', safely((name, value) => {
  if (Number.isFinite(value) && mayName(own.gauges, name)) own.gauges[name] = value;
}));

process.on('rota:counter', safely((name, add = 1) => {
  if (Number.isFinite(add) && mayName(own.counters, name)) {
    const sum = (own.counters[name] || 0) + add;
    if (Number.isFinite(sum)) own.counters[name] = sum;
  }
}));

process.on('rota:health', safely((health) => {
  const { ok = true, reason, code } = Object(health);
  const message = { act: 'health', ok: Boolean(ok) };
  if (reason !== undefined) message.reason = String(reason).slice(0, 1000);
  if (Number.isSafeInteger(code)) message.code = code;
  say(message);
}));

process.on('uncaughtExceptionMonitor', safely((error, origin) => {
  const stack = error && typeof error.stack === 'string' ? error.stack.slice(0, 16000) : null;
  say({ act: 'uncaught', origin, message: String(error).slice(0, 2000), stack });
}));

// ---- When rota is gone ----

if (settings.serve_on) mindOutput();
// A listener of `disconnect` on the process would keep it alive, and be seen.
if (cluster === null) {
  if (!settings.serve_on) {
    const guard = setInterval(safely(() => {
      if (process.connected || !isOrphan()) return;
      clearInterval(guard);
      kill(process.pid, settings.stop_signal);
    }), 500).unref();
  }
} else if (settings.serve_on) {
  // Node emits this just before it exits, if nobody says that it shall not.
  const { worker } = cluster;
  worker.once('disconnect', () => {
    if (worker.exitedAfterDisconnect) return;
    worker.exitedAfterDisconnect = true;
    lost();
  });
}

say({ act: 'hello', v: 1, node: process.version, pid: process.pid });
