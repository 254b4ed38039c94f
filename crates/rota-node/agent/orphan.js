// ---- When rota is gone ----
//
// With `serve_on` a worker goes on without rota. Where rota has accepted its connections, it has a copy of the
// listening socket in reserve, from which it accepts by itself from then on; the kernel chooses among the workers. The
// next daemon finds it, takes copies of its sockets, and asks it by a signal to finish.

// Ignored by processes that do not listen for it.
const LEAVE = 'SIGURG';
// The end of the channel may be seen a moment before our parent is another one.
const LOOK = 5;
const LOOK_LIMIT = 200;

// By server, held weakly: the socket in reserve, and what stood for it in the server when it came.
const spares = new Map();
let orphaned = false;

function keepSpare({ id, backlog }, handle) {
  if (!handle) return;
  handle.unref();
  const ref = [...serverRefs].find((one) => one.deref() !== undefined && servers.get(one.deref()).id === id);
  // Of servers that have been closed since.
  for (const [known, spare] of spares) if (standOf(known) !== spare.stand) dropSpare(known);
  const stand = ref === undefined ? undefined : standOf(ref);
  if (!stand || orphaned) {
    handle.close();
    return;
  }
  spares.set(ref, { handle, stand, backlog });
}

function standOf(ref) {
  const server = ref.deref();
  return server === undefined ? undefined : server._handle;
}

function dropSpare(ref) {
  const spare = spares.get(ref);
  if (spare === undefined) return;
  spares.delete(ref);
  spare.handle.close();
}

// The channel has ended. The app may have done that by itself: then the process ends, as it does in Node's cluster.
function lost() {
  const until = now() + LOOK_LIMIT;
  const look = safely(() => {
    if (isOrphan()) serveOn();
    else if (now() >= until) process.exit(0);
    else later(look, LOOK).unref();
  });
  look();
}

function serveOn() {
  orphaned = true;
  for (const [ref, { handle, stand, backlog }] of spares) {
    if (standOf(ref) !== stand) {
      dropSpare(ref);
      continue;
    }
    handle.onconnection = (status, client) => stand.onconnection(status, client);
    const close = stand.close;
    stand.close = function closeBoth(...rest) {
      dropSpare(ref);
      return close.apply(this, rest);
    };
    handle.listen(backlog);
  }
  process.on(LEAVE, safely(() => drain({ ...settings.leave, handover: false, last: false })));
}

// Nothing is left to finish. To the whole group, as rota does it.
function leave() {
  try {
    kill(-process.pid, settings.stop_signal);
  } catch {
    kill(process.pid, settings.stop_signal);
  }
}

// Nobody reads what it prints any more. Without a listener Node would end the process with the first line.
function mindOutput() {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', function onError(error) {
      if (error.code !== 'EPIPE' && stream.listenerCount('error') === 1) throw error;
    });
  }
}

// The app may have disconnected by itself: rota has gone only when the keeper has.
function isOrphan() {
  if (parent === settings.keeper) return process.ppid !== parent;
  // Started by way of another program, or so late that the keeper had gone before.
  try {
    kill(settings.keeper, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

