// Imports the module of this package that argv[2] names, and prints the packages that came with it, once each.
import { registerHooks } from "node:module";

const packages = new Set<string>();
registerHooks({
  resolve: (specifier, context, next) => {
    if (/^(?:@|[a-z])/.test(specifier) && !specifier.startsWith("node:"))
      packages.add(specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"));
    return next(specifier, context);
  },
});

await import(new URL(`../../../src/${process.argv[2]}.ts`, import.meta.url).href);
console.log([...packages].toSorted().join(" "));
