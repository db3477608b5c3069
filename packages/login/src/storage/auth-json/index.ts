export { encodeAuthJson } from "./encode.ts";
export { parseAuthJson } from "./parse.ts";
export * from "./document.ts";
