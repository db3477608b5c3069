export { AgentTasks, type AgentTaskIdentity } from "./agent-tasks.ts";
export { registerTask, type RegisterTaskOptions, registrationMessage } from "./register-task.ts";
