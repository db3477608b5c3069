// Replaces "@grpc/grpc-js" in the bundles (rolldown.config.ts): the part of it that the source `spiffe` uses. Only that
// source loads it.
export { Client, credentials, Metadata, status } from "@grpc/grpc-js";
