export {
  type AgentAccount,
  AgentRegistry,
  type RegisteredAgent,
  type RegisteredTask,
  type TaskName,
} from "./agent-registry.ts";
export { makeMemoryRegistry, type MemoryRegistry } from "./memory.ts";
