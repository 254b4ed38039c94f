// ---- What V8 forgets ----

// Node makes the objects of `process.nextTick` by a literal with computed keys, and V8 notes with each key the one shape of
// object that it has met there. The heap of a process that idles is collected thoroughly: shapes that no object has are
// gone then, and the next tick, with new ones, makes these places general for good. Each tick takes several times as long
// from there on, and a request of HTTP needs several. So one such object stays alive, our own.
function keepTickShape() {
  const { AsyncResource, executionAsyncResource } = builtin('async_hooks');
  let hooks;
  try {
    hooks = quietBinding('async_wrap');
  } catch {
    // Node 24 does not have it. There it is enough if the shape with the first two keys stays, with doubles as Node's are.
    const symbols = Object.getOwnPropertySymbols(new AsyncResource('rota', { requireManualDestroy: true }));
    const key = (name) => symbols.find(({ description }) => description === name);
    safely.tick = { [key('async_id_symbol')]: 0.5, [key('trigger_async_id_symbol')]: 0.5 };
    return;
  }
  const flag = hooks.constants.kUsesExecutionAsyncResource;
  nextTick(safely(() => {
    // Who asks for the object makes each callback more expensive, unless that is taken back.
    const before = hooks.async_hook_fields[flag];
    // A function that lives as long as we do has it.
    safely.tick = executionAsyncResource();
    hooks.async_hook_fields[flag] = before;
  }));
}

// Node warns of that.
function quietBinding(name) {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.binding(name);
  } finally {
    process.emitWarning = emitWarning;
  }
}
