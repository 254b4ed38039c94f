// ---- Figures ----

const BUCKETS = 128;
const latency = new Uint32Array(BUCKETS);
const gc = { minor: { count: 0, ms: 0 }, major: { count: 0, ms: 0 }, incremental: { count: 0, ms: 0 }, weak: { count: 0, ms: 0 } };
let measuring = null;

// Each power of two in four parts; see `Figures::bucket_bound`.
function bucket(us) {
  if (us < 4) return us;
  const exponent = 31 - Math.clz32(us);
  return Math.min((exponent - 1) * 4 + ((us >>> (exponent - 2)) & 3), BUCKETS - 1);
}

function count(status, ms) {
  const kind = Math.floor(status / 100) - 1;
  if (kind >= 0 && kind < 5) totals.responses[kind]++;
  latency[bucket(Math.min(Math.max(ms * 1000, 0), 0x7fffffff) | 0)]++;
}

// Not before the first question: what starts up shall not wait for us.
function measure() {
  const { monitorEventLoopDelay, PerformanceObserver, constants } = builtin('perf_hooks');
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const kinds = {
    [constants.NODE_PERFORMANCE_GC_MINOR]: gc.minor,
    [constants.NODE_PERFORMANCE_GC_MAJOR]: gc.major,
    [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: gc.incremental,
    [constants.NODE_PERFORMANCE_GC_WEAKCB]: gc.weak,
  };
  const observer = new PerformanceObserver(safely((list) => {
    for (const entry of list.getEntries()) {
      const kind = kinds[entry.detail ? entry.detail.kind : entry.kind];
      if (kind !== undefined) {
        kind.count++;
        kind.ms += entry.duration;
      }
    }
  }));
  observer.observe({ entryTypes: ['gc'] });
  let v8 = null;
  try {
    v8 = builtin('v8');
  } catch {
    // Only the heap's limit is missing then.
  }
  measuring = { delay, v8, loop: performance.eventLoopUtilization() };
}

// How often the delay of the event loop is looked at, in milliseconds: each look wakes the process.
const RESOLUTION = 20;

function loopFigures() {
  const { delay, loop } = measuring;
  // What is recorded is the time between two looks.
  const ms = (ns) => Math.max(ns / 1e6 - RESOLUTION, 0) || 0;
  const result = {
    p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max),
    utilization: performance.eventLoopUtilization(loop).utilization || 0,
  };
  measuring.loop = performance.eventLoopUtilization();
  delay.reset();
  return result;
}

function figures() {
  if (measuring === null) measure();
  const memory = process.memoryUsage();
  const times = [];
  for (let i = 0; i < BUCKETS; i++) {
    if (latency[i] !== 0) {
      times.push([i, latency[i]]);
      latency[i] = 0;
    }
  }
  let bytes = totals.bytes;
  let open = 0;
  for (const [socket, entry] of connections) {
    if (entry.outer) continue;
    bytes += socket.bytesWritten || 0;
    open++;
  }
  return {
    loop: loopFigures(),
    heap_used: memory.heapUsed, heap_total: memory.heapTotal,
    heap_limit: measuring.v8 === null ? 0 : measuring.v8.getHeapStatistics().heap_size_limit,
    external: memory.external,
    gc,
    handles: typeof process.getActiveResourcesInfo === 'function' ? process.getActiveResourcesInfo().length : 0,
    connections: open,
    requests: totals.requests, in_flight: totals.inFlight, aborted: totals.aborted,
    responses: totals.responses, bytes_out: bytes, latency: times,
    inspector: inspectorUrl() !== undefined, usr1: process.listenerCount('SIGUSR1') > 0,
    gauges: own.gauges, counters: own.counters,
  };
}
