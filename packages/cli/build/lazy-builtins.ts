import type { Plugin } from "rolldown";

/** Builtins that take milliseconds to load and that many runs do not use (node:crypto about 4, node:tls about 3). */
const costly =
  /require\(([`"'])node:(crypto|tls|net|http|https|child_process|fs\/promises|os)\1\)/gu;

/**
 * Loads slow builtins when they are first used instead of when a bundle starts. `import { sign } from "node:crypto"`
 * becomes `c = require("node:crypto")` with uses `c.sign` in our output, so an object that asks the real module for
 * each property does the same work later. Only our own code passes through here: undici's bundle takes builtins apart
 * at its top level. A chunk with a default import of a builtin copies the module's properties, which loads it at once:
 * without the last two traps the copy would be empty.
 */
export const lazyBuiltins = (): Plugin => ({
  name: "lazy-builtins",
  renderChunk(code) {
    if (!costly.test(code)) return null;
    costly.lastIndex = 0;
    return `${lazily}${code.replaceAll(costly, (_, quote: string, name: string) => `__lazily(${quote}node:${name}${quote})`)}`;
  },
});

const lazily = `const __lazily = (id) => {
  let loaded;
  const load = () => (loaded ??= process.getBuiltinModule(id));
  return new Proxy({}, {
    get: (_, key) => load()[key],
    has: (_, key) => key in load(),
    ownKeys: () => Reflect.ownKeys(load()),
    getOwnPropertyDescriptor: (_, key) => {
      const found = Reflect.getOwnPropertyDescriptor(load(), key);
      return found && { ...found, configurable: true };
    },
  });
};
`;
