globalThis.secondPreloaded = true
