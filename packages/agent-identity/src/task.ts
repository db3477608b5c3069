export { AgentTasks, type AgentTaskIdentity } from "./task/agent-tasks.ts";
export {
  registerTask,
  type RegisterTaskOptions,
  registrationMessage,
} from "./task/register-task.ts";
