import { type AuthDocument, encodeAuthJson } from "../auth-json/index.ts";
import { StoreUnwritable } from "../../errors/store.ts";
import { MAX_BYTES } from "./read.ts";

/** What new tokens may take more than the old ones. */
export const ROOM_FOR_TOKENS = 64 * 1024;

/**
 * The text to write for a document: pretty, or without white space where it would else be larger than what is read
 * back. Throws `StoreUnwritable` where even that is too large, less the room that is asked for.
 */
export const contentOf = (document: AuthDocument, path: string, room = 0): string => {
  for (const layout of ["pretty", "compact"] as const) {
    const content = encodeAuthJson(document, { layout });
    if (Buffer.byteLength(content) + room <= MAX_BYTES) return content;
  }
  throw new StoreUnwritable({
    where: path,
    operation: "save",
    reason: "the content would be larger than 1 MiB, more than is read",
  });
};
