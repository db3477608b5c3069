import type { AdministratorRule, ConfigExplanation } from "@agent-auth/login/config";
import { type Check, ok } from "./check.ts";

/** Which file, or which other layer, set which key. Values are not shown: they may be secrets. */
export const keysCheck = ({ keys }: ConfigExplanation): Check =>
  ok(
    "keys",
    keys.length === 0
      ? "none set"
      : keys
          .map(({ isRequired, key, line, where }) => {
            const place = line === undefined ? where : `${where}:${line}`;
            return `${key} ${isRequired ? "required by" : "from"} ${place}`;
          })
          .join("; "),
  );

/** The administrator's rules that are in force on this machine. */
export const requirementsCheck = ({ keys, residency, rules }: ConfigExplanation): Check => {
  const parts = [
    ...rules.map(describeRule),
    ...keys.filter(({ isRequired }) => isRequired).map(({ key, where }) => `${key} (${where})`),
    ...(residency === undefined
      ? []
      : [`enforce_residency: ${residency.value} (${residency.where})`]),
  ];
  return ok("requirements", parts.length === 0 ? "none" : parts.join("; "));
};

const describeRule = ({ allowed, key, where }: AdministratorRule): string =>
  `${key}: ${allowed.length === 0 ? "none" : allowed.join(", ")} (${where})`;
