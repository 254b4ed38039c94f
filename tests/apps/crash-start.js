// Throws before it has listened.
console.error('about to throw')
throw new Error('broken at start')
