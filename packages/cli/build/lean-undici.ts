import type { Plugin } from "rolldown";

const lazyH2 = "const connectH2 = (...args) => require('./client-h2.js')(...args)";

/**
 * Keeps undici's bundle from loading, at its start, what a request over HTTP/1.1 does not use: the HTTP/2 client (it
 * loads node:http2, node:tls and node:crypto, about 6 ms), and node:assert (it opens a stream on stderr to look for
 * colours, about 2 ms), which is wanted only when an assertion fails.
 */
export const leanUndici = (): Plugin => ({
  name: "lean-undici",
  resolveId: (id) => (id === "node:assert" ? leanAssert : null),
  load: (id) => (id === leanAssert ? { code: assertCode, moduleType: "js" } : null),
  transform(code, id) {
    if (!id.endsWith("/undici/lib/dispatcher/client.js")) return null;
    const eager = "const connectH2 = require('./client-h2.js')";
    if (!code.includes(eager)) throw new Error(`undici changed: ${eager} is not there any more`);
    return code.replace(eager, lazyH2);
  },
});

const leanAssert = "\0lean-assert.cjs";

const assertCode = `
const real = () => process.getBuiltinModule("node:assert");
const assert = (value, message) => { if (!value) real()(value, message); };
module.exports = new Proxy(assert, { get: (_, name) => real()[name] });
`;
