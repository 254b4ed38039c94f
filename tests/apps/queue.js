// A queue consumer: never listens, just works.
setInterval(() => {}, 1000)
