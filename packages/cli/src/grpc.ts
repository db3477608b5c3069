// Replaces "@grpc/grpc-js" in the bundles (rolldown.config.ts): what the source `spiffe` uses. It is loaded for it only.
export { Client, credentials, Metadata, status } from "@grpc/grpc-js";
