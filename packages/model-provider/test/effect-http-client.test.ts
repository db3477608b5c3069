import { clientContract } from "./client.contract.ts";
import { effectClient } from "./support/clients.ts";

clientContract("effect-http-client layer", effectClient);
