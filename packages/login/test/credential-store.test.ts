import { credentialStoreContract } from "./support/credential-store.contract.ts";

credentialStoreContract("file", "File");
credentialStoreContract("ephemeral", "Ephemeral");
