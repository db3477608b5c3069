import { makeBench } from "@agent-auth/tools/bench";
import { benchMemory } from "./memory.ts";
import { benchRecovery } from "./recovery.ts";
import { benchRequests } from "./requests.ts";

const bench = makeBench("model-provider");
await benchRequests(bench);
await benchRecovery(bench);
await benchMemory(bench);
bench.report();
