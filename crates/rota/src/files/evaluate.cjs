'use strict';
// Evaluates the file that is the only argument, and writes what it exports to descriptor 0, as one line of JSON. Whatever the
// file prints goes to the usual two descriptors.
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');

// Kept before the file can replace them.
const { closeSync, writeSync } = fs;
const { stringify } = JSON;
const exit = process.exit.bind(process);
const file = path.resolve(process.argv[1]);

function answer(line) {
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(0, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  closeSync(0);
  exit(0);
}

async function load() {
  if (file.endsWith('.mjs')) return import(pathToFileURL(file));
  try {
    return createRequire(file)(file);
  } catch (error) {
    if (error?.code !== 'ERR_REQUIRE_ESM' && error?.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
    return import(pathToFileURL(file));
  }
}

// What JSON cannot say: functions are named, regular expressions become text.
function plain(value, functions) {
  const open = [];
  const walk = (value, at) => {
    if (typeof value === 'function') {
      functions.push(at);
      return undefined;
    }
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if (value === null || typeof value !== 'object') return value;
    if (value instanceof RegExp) return String(value);
    if (typeof value.toJSON === 'function') return value.toJSON();
    if (open.includes(value)) throw new TypeError(`${at || 'it'} contains itself`);
    open.push(value);
    const made = Array.isArray(value)
      ? value.map((item, index) => walk(item, `${at}[${index}]`) ?? null)
      : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, at ? `${at}.${key}` : key)]));
    open.pop();
    return made;
  };
  return walk(value, '');
}

load()
  .then(async (exported) => {
    // `export default`, and what compilers make of it.
    const value = await (exported?.default ?? exported);
    if (typeof value === 'function') {
      throw new TypeError('it exports a function, and PM2 takes a table: module.exports = { apps: [...] }');
    }
    const functions = [];
    answer(stringify({ value: plain(value, functions) ?? null, functions }));
  })
  .catch((error) => {
    const text = error?.stack ?? error;
    answer(stringify({ error: String(error?.message ?? error), stack: String(text) }));
  });
