export { isJsonObject, type JsonObject, parseJson } from "./json.ts";
export { toSingleLine } from "./text.ts";
