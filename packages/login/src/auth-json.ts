export { encodeAuthJson } from "./auth-json/encode.ts";
export { parseAuthJson } from "./auth-json/parse.ts";
export * from "./auth-json/document.ts";
