import * as Effect from "effect/Effect";
import * as z from "zod/mini";
import { TaskAnswerMalformed, TaskIdMissing } from "../errors/index.ts";

const text = z.nullish(z.string());
const TaskAnswer = z.object({
  task_id: text,
  taskId: text,
  encrypted_task_id: text,
  encryptedTaskId: text,
});

/** A task id as the answer carries it: in clear, or sealed to the agent's key (base64). */
export type AnsweredTaskId =
  | { readonly _tag: "Plain"; readonly taskId: string }
  | { readonly _tag: "Sealed"; readonly sealed: string };

const firstPresent = (...values: ReadonlyArray<string | null | undefined>): string | undefined =>
  values.find((value): value is string => typeof value === "string" && value.trim() !== "");

/** Reads the body of a registration answer, all four spellings of docs/protocol.md §7; one in clear wins. */
export const parseTaskAnswer = Effect.fnUntraced(function* (
  body: string,
): Effect.fn.Return<AnsweredTaskId, TaskAnswerMalformed | TaskIdMissing> {
  const json = yield* Effect.try({
    try: (): unknown => JSON.parse(body),
    catch: () => new TaskAnswerMalformed({ problem: "it is not JSON" }),
  });
  const read = TaskAnswer.safeParse(json);
  if (!read.success) {
    return yield* new TaskAnswerMalformed({ problem: "it is not an object with a task id" });
  }
  const plain = firstPresent(read.data.task_id, read.data.taskId);
  if (plain !== undefined) return { _tag: "Plain", taskId: plain };
  const sealed = firstPresent(read.data.encrypted_task_id, read.data.encryptedTaskId);
  return sealed === undefined ? yield* new TaskIdMissing() : { _tag: "Sealed", sealed };
});
