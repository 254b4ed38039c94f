globalThis.imported = true
