const serve: (main: unknown) => void = require('./serve.js')

serve(module as unknown)
