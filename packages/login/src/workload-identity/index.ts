export { WorkloadIdentities } from "./shared.ts";
export { consumedVariables } from "../config/consumed-variables.ts";
export {
  type IdentitySource,
  type WorkloadIdentitySettings,
  workloadIdentitySettings,
  type WorkloadTarget,
} from "./settings.ts";
export {
  makeWorkloadIdentity,
  type WorkloadIdentity,
  type WorkloadIdentityOptions,
} from "./make.ts";
