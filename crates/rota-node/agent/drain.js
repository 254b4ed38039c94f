// ---- Drain ----
//
// Connections of plain HTTP/1.1 move to another worker between two requests: their descriptor goes to rota, which
// gives it to somebody else. What cannot move is told to close with its next response.

const HANDOVERS_AT_ONCE = 32;
// Who takes connections over is new as a rule, and its first requests are its slowest: it begins with one, and may have
// twice as many after each step.
const RAMP_STEP = 20;
const TRIES = 20;
const PAUSE = 50;
const SWEEP = 250;
// After a look at all connections for the sake of one: so many times as long as it took.
const LOOK_PAUSE = 10;
// Where nobody can take connections over, new ones are not welcome either: there is little to wait for.
const LONELY_GRACE = 500;
// A client that has connected and not asked yet is probably about to: it gets so many times the grace of one that has
// been answered. Not for ever, because browsers connect in advance.
const UNUSED_GRACES = 3;
// An HTTP/2 client must have learned that no new streams are wanted before they are refused. It has read that when it
// answers a ping behind it; what it was just about to send is granted a moment more.
const GOAWAY_PAUSE = 250;
const GOAWAY_LIMIT = 5000;
const NO_STREAM_LIMIT = 2 ** 31 - 1;
const CLOSE_FRAME = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

let lastHandover = 0;

function drain({ timeout, grace, handover, last }) {
  if (draining !== null) {
    // A supervisor that has begun since then asks again. It has not heard what the one before it was told.
    if (draining.over) sayDrained();
    return;
  }
  const report = { running: totals.inFlight, connections: 0, handed: 0, told: 0, idle: 0, goodbye: 0, cut: 0 };
  for (const entry of connections.values()) if (!entry.outer) report.connections++;
  // Near its end the time belongs to goodbyes.
  const farewell = Math.min(1000, timeout / 5);
  draining = {
    report, handover: handover && cluster !== null, graceEnds: now() + grace,
    unusedGraceEnds: now() + grace * (last ? 1 : UNUSED_GRACES), sweeping: false, over: false, nextLook: 0,
    waiting: new Map(), ready: [], timers: [],
    began: now(), rampStep: Math.min(RAMP_STEP, timeout / 50), ramping: false,
  };
  repeat(safely(() => {
    collect();
    sweep();
  }), SWEEP).unref();
  // Where no worker stays there is nothing that upgraded connections could wait for.
  const until = last ? 0 : Math.max(timeout - farewell, 0);
  draining.timers.push(later(safely(() => sayGoodbye(farewell)), until).unref());
  draining.timers.push(later(safely(() => drained()), timeout).unref());
  for (const server of livingServers()) retire(server);
  for (const session of sessions) leaveSession(session);
  for (const [socket, entry] of connections) {
    if (!canMove(socket, entry)) tellToClose(entry);
  }
  const deadline = Date.now() + timeout;
  // On its own: an exception in the app's listener is the app's.
  soon(() => process.emit('rota:drain', { deadline }));
  sweepSoon();
}

function livingServers() {
  return [...serverRefs].map((ref) => ref.deref()).filter((server) => server !== undefined);
}

// It takes no more connections, and yet is no closed server to the app.
function retire(server) {
  // `server.close()` would close connections that are about to move.
  if (typeof server.closeIdleConnections === 'function') {
    Object.defineProperty(server, 'closeIdleConnections', {
      configurable: true, writable: true, enumerable: false, value() {},
    });
  }
  const real = server._handle;
  const known = servers.get(server);
  for (const ref of spares.keys()) if (ref.deref() === server) dropSpare(ref);
  // Where rota accepts, Node has a plain object in the place of a handle.
  if (!real || known.id === 0 || Object.getPrototypeOf(real) === Object.prototype) return;
  const name = {};
  const named = typeof real.getsockname === 'function' && real.getsockname(name) === 0;
  const stand = {
    close() {}, ref() {}, unref() {}, listen: () => 0, onconnection: real.onconnection,
  };
  if (named) stand.getsockname = (out) => { Object.assign(out, name); return 0; };
  for (const symbol of Object.getOwnPropertySymbols(real)) {
    if (symbol.description === 'owner_symbol') stand[symbol] = real[symbol];
  }
  server._handle = stand;
  real.close();
}

// With the newest response: one that came before it would cost those behind it their answers. Which one that is shows
// when its head is written.
function tellToClose(entry) {
  const response = entry.last;
  if (response === null || response.headersSent) return;
  let keep = response.shouldKeepAlive;
  Object.defineProperty(response, 'shouldKeepAlive', {
    configurable: true,
    enumerable: true,
    get() {
      if (!keep || entry.last !== response) return keep;
      if (!entry.told) draining.report.told++;
      entry.told = true;
      return false;
    },
    set(value) { keep = value; },
  });
}

function leaveSession(session) {
  if (session.closed || session.destroyed) return;
  draining.report.told++;
  session.goaway(0, NO_STREAM_LIMIT);
  const close = safely(() => {
    if (!session.destroyed) session.close();
  });
  session.ping(() => later(close, GOAWAY_PAUSE).unref());
  later(close, GOAWAY_LIMIT).unref();
}

// ---- Moving connections ----

// It is the kind that can move, if not at this moment.
function canMove(socket, entry) {
  return draining.handover && entry.id > 0 && entry.upgraded === '' && !entry.told && !entry.outer &&
    // A server that passes its connections on to another one cannot be known well enough.
    socket.server === entry.server && socket.constructor === net.Socket && Boolean(socket.parser) && socket.parser._consumed === true;
}

function isQuiet(socket) {
  const handle = socket._handle;
  return !socket.destroyed && socket.readable && socket.writable && !socket._httpMessage &&
    !socket._paused && socket.writableLength === 0 && socket.readableLength === 0 &&
    handle && !(handle.writeQueueSize > 0);
}

// All connections of an HTTP server, as Node keeps them; null where it does not.
function listOf(server) {
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    if (symbol.description === 'http.server.connections') return server[symbol] || null;
  }
  return null;
}

// Connections whose parser stands between two messages.
function betweenRequests(server) {
  const list = listOf(server);
  return new Set(list === null ? [] : list.idle().map((parser) => parser.socket));
}

function sweepSoon() {
  if (draining.sweeping) return;
  draining.sweeping = true;
  soon(safely(sweep));
}

// How many connections may be on their way now.
function room() {
  const { report, waiting, began, rampStep } = draining;
  const moved = report.handed + waiting.size;
  return Math.min(HANDOVERS_AT_ONCE - waiting.size, 2 ** ((now() - began) / rampStep) - moved);
}

// When the next step of the ramp comes.
function sweepOnTheRamp() {
  const { waiting, rampStep } = draining;
  if (draining.ramping || waiting.size >= HANDOVERS_AT_ONCE) return;
  draining.ramping = true;
  later(safely(() => {
    draining.ramping = false;
    sweep();
  }), rampStep).unref();
}

function sweep() {
  draining.sweeping = false;
  if (draining.ready.length === 0) collect();
  const { ready, waiting } = draining;
  while (ready.length > 0 && room() >= 1) {
    const socket = ready.pop();
    const entry = connections.get(socket);
    // Nothing has come since we have looked at it.
    const still = entry !== undefined && entry.open === 0 && canMove(socket, entry) && isQuiet(socket) &&
      socket._handle.bytesRead === entry.seen;
    if (still) move(socket, entry);
  }
  if (ready.length > 0) sweepOnTheRamp();
  if (connections.size === 0 && sessions.size === 0 && waiting.size === 0) drained();
}

// A connection whose response has just been finished: a client that does not pause would have its next request here
// before the next sweep, every time.
const moveNow = safely((socket) => {
  const entry = connections.get(socket);
  if (entry === undefined || entry.open > 0 || room() < 1) return;
  const began = now();
  if (began < draining.nextLook || !canMove(socket, entry) || !isQuiet(socket)) return;
  const between = betweenRequests(socket.server).has(socket);
  // To look at one is to list them all: with thousands of connections that must not become all that we do.
  const over = now();
  draining.nextLook = over + (over - began) * LOOK_PAUSE;
  if (between) move(socket, entry);
});

// Looks at all connections, which may be many: what can move is noted, and what cannot and has had its time is closed.
function collect() {
  draining.ready = [];
  const idle = new Map();
  const graceOver = now() >= draining.graceEnds;
  const unusedGraceOver = now() >= draining.unusedGraceEnds;
  for (const [socket, entry] of connections) {
    if (entry.outer || entry.open > 0 || entry.upgraded !== '') continue;
    const movable = canMove(socket, entry);
    if (!movable && !graceOver || !isQuiet(socket)) continue;
    const server = socket.server || entry.server;
    if (!idle.has(server)) idle.set(server, betweenRequests(server));
    const unused = isUnused(socket, entry);
    if (!idle.get(server).has(socket) && !unused) continue;
    if (!movable && unused && !unusedGraceOver) continue;
    entry.seen = socket._handle.bytesRead;
    if (movable) draining.ready.push(socket);
    else closeIdle(socket);
  }
  if (unusedGraceOver) closeUnusedTls();
}

// Its first request has not begun: nothing of it has been read. Who speaks first in TLS is the client.
function isUnused(socket, entry) {
  return entry.requests === 0 && socket._handle.bytesRead === 0 &&
    (Boolean(socket.parser) || typeof entry.server.setSecureContext === 'function');
}

// Their handshake is done and no more: we have not met them yet.
function closeUnusedTls() {
  for (const server of livingServers()) {
    const list = typeof server.setSecureContext === 'function' ? listOf(server) : null;
    if (list === null) continue;
    for (const { socket } of list.all()) {
      if (socket && !connections.has(socket) && socket.bytesRead === 0) closeIdle(socket);
    }
  }
}

function closeIdle(socket) {
  draining.report.idle++;
  socket.destroySoon();
}

function move(socket, entry) {
  const handle = socket._handle;
  const { parser } = socket;
  handle.reading = false;
  handle.readStop();
  parser.unconsume();
  parser._consumed = false;
  handle._consumed = false;
  handle.onread = () => {};
  let keep = 0;
  if (entry.requests > 0 && socket.timeout > 0) {
    keep = Math.max(Math.round(socket.timeout - (now() - entry.idleSince)), 1);
  }
  socket.setTimeout(0);
  // The server counts it until it has really gone: its `close` event must not come before.
  totals.bytes += handle.bytesWritten || 0;
  socket._handle = null;
  socket._server = null;
  connections.delete(socket);
  socket.destroy();
  const id = ++lastHandover;
  draining.waiting.set(id, {
    handle, server: entry.server, tries: 0, message: { act: 'handover', id, server: entry.id, requests: entry.requests, keep },
  });
  offer(id);
}

function offer(id) {
  const { handle, message } = draining.waiting.get(id);
  if (!say(message, handle)) takeBack(id);
}

// rota's answer to an offer.
function handed(id, ok) {
  const offered = draining === null ? undefined : draining.waiting.get(id);
  if (offered === undefined) return;
  if (ok) {
    draining.report.handed++;
    draining.waiting.delete(id);
    offered.handle.close();
    release(offered.server);
    sweepSoon();
  } else if (draining.report.handed > 0 && ++offered.tries < TRIES && !draining.over) {
    // Others have gone: for this one there is no room at the moment.
    later(safely(() => { if (draining.waiting.has(id)) offer(id); }), PAUSE).unref();
  } else {
    takeBack(id);
  }
}

function release(server) {
  server._connections--;
  server._emitCloseIfDrained();
}

// Nobody can have it, and so nobody can have the others.
function takeBack(id) {
  const { handle, server, message } = draining.waiting.get(id);
  draining.waiting.delete(id);
  if (draining.handover) {
    draining.handover = false;
    draining.graceEnds = Math.min(draining.graceEnds, now() + LONELY_GRACE);
    draining.unusedGraceEnds = draining.graceEnds;
    for (const entry of connections.values()) tellToClose(entry);
  }
  const socket = new net.Socket({ handle, allowHalfOpen: server.allowHalfOpen, readable: true, writable: true });
  socket.server = server;
  socket._server = server;
  server.emit('connection', socket);
  arriving = { requests: message.requests, keep: message.keep };
  onSocket({ socket });
}

// A connection that has come from another worker goes on where it was: between two requests, and with the rest of
// its time.
function restore(socket, entry, { requests, keep }) {
  const { parser } = socket;
  if (!parser || !(requests > 0)) return;
  entry.requests = requests;
  const { onIncoming } = parser;
  // A parser that has read nothing counts as one that waits for headers, and is timed as one.
  parser.onIncoming = () => 0;
  parser.execute(Buffer.from('GET / HTTP/1.1\r\nhost: rota\r\n\r\n'));
  parser.onIncoming = onIncoming;
  parser.incoming = null;
  if (keep > 0) {
    entry.keep = keep;
    socket.setTimeout(keep);
  }
}

// ---- The end of the time ----

function websocketOf(socket) {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    if (symbol.description === 'websocket') return socket[symbol];
  }
  return undefined;
}

function sayGoodbye(farewell) {
  if (draining.over) return;
  soon(() => process.emit('rota:goodbye', { deadline: Date.now() + farewell }));
  // The app first, if it wants.
  draining.timers.push(later(safely(() => {
    for (const [socket, entry] of connections) {
      if (entry.upgraded === '' || socket.destroyed) continue;
      draining.report.goodbye++;
      if (entry.upgraded !== 'websocket') socket.end();
      else closeWebSocket(socket);
    }
  }), farewell / 2).unref());
}

function closeWebSocket(socket) {
  const api = websocketOf(socket);
  // 1001: going away.
  if (api && typeof api.close === 'function') api.close(1001);
  else if (socket.writable) socket.end(CLOSE_FRAME);
}

// Connections go on moving as long as the process lives: it may have handlers of its own that wait for them.
function drained() {
  if (draining.over) return;
  draining.over = true;
  for (const timer of draining.timers) cancel(timer);
  for (const entry of connections.values()) {
    if (!entry.outer && (entry.open > 0 || entry.upgraded !== '' || entry.requests === 0)) draining.report.cut++;
  }
  sayDrained();
  if (orphaned) leave();
}

function sayDrained() {
  // Whether these are taken nobody has told us yet; whom we tell it knows.
  say({ act: 'drained', ...draining.report, waiting: draining.waiting.size });
}
