import path from 'node:path'

// The packages live two folders further up, beside the other servers'.
export default { turbopack: { root: path.resolve(import.meta.dirname, '../..') }, poweredByHeader: false }
