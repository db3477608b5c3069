/** Strict encodings of the protocol, for programs that read what agents and servers send. */
export { decodeBase64, decodeBase64Url } from "./base64.ts";
export {
  isJsonObject,
  type JsonObject,
  type JsonObjectProblem,
  parseJson,
  parseJsonObject,
} from "./json.ts";
export { formatRfc3339Second, parseRfc3339Second } from "./rfc3339.ts";
export { describeType, isId, toSingleLine } from "./text.ts";
