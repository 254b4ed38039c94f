// ---- Inspector and profiles ----

let inspectorModule;

function inspectorApi() {
  if (inspectorModule === undefined) {
    try {
      inspectorModule = builtin('inspector');
    } catch {
      inspectorModule = null;
    }
  }
  return inspectorModule;
}

function inspectorUrl() {
  const api = inspectorApi();
  return api === null ? undefined : api.url();
}

function inspector(open) {
  const api = inspectorApi();
  if (api !== null) {
    if (open && api.url() === undefined) api.open(0, '127.0.0.1');
    if (!open && api.url() !== undefined) api.close();
  }
  const url = inspectorUrl();
  say({ act: 'inspector', url: url === undefined ? null : url });
}

function profile({ id, kind, path, duration }) {
  const done = (error) => say({ act: 'profiled', id, error: error ? String(error.message || error) : null });
  try {
    if (kind === 'heap') heapSnapshot(path, done);
    else cpuProfile(path, duration, done);
  } catch (error) {
    done(error);
  }
}

function heapSnapshot(path, done) {
  const fs = builtin('fs');
  // So that nobody else's file is overwritten: Node would.
  fs.closeSync(fs.openSync(path, 'wx', 0o600));
  builtin('v8').writeHeapSnapshot(path);
  done();
}

function cpuProfile(path, duration, done) {
  const api = inspectorApi();
  if (api === null) throw new Error('this Node has no inspector');
  const session = new api.Session();
  session.connect();
  const post = (method, next) => session.post(method, (error, result) => {
    if (!error) return next(result);
    session.disconnect();
    return done(error);
  });
  post('Profiler.enable', () => post('Profiler.start', () => {
    later(() => post('Profiler.stop', ({ profile: recorded }) => {
      session.disconnect();
      builtin('fs').writeFile(path, JSON.stringify(recorded), { flag: 'wx', mode: 0o600 }, done);
    }), duration).unref();
  }));
}
