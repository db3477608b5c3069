import { setTimeout } from "node:timers/promises";
import { type Postgres, startPostgres } from "@agent-auth/tools/postgres";
import type { Round, Scenario } from "./round.ts";

/** Logical replication is not needed; a standby is. */
export const serverSettings = [
  "wal_level = replica",
  "max_wal_senders = 5",
  "max_connections = 400",
];

const pause = (maxMs: number) => setTimeout(Math.random() * maxMs);
const undisturbed = ({ postgres }: Round) => ({ killed: 0, postgres });

/** Waits for the holder, and sometimes for its request as well, so that all moments are met. */
const findHolder = async ({ fleet, holder, request }: Round) => {
  const pid = await holder();
  const moment = Math.random();
  if (moment > 0.3) await Promise.race([request(), setTimeout(3_000)]);
  if (moment > 0.6) await pause(600);
  return fleet.find(pid);
};

export const scenarios: ReadonlyArray<Scenario> = [
  { name: "nothing happens", killsHolder: false, disturb: async (round) => undisturbed(round) },
  {
    name: "holder killed (-9)",
    killsHolder: true,
    losesLease: true,
    disturb: async (round) => {
      const found = await findHolder(round);
      return { ...undisturbed(round), killed: found?.child.kill("SIGKILL") === true ? 1 : 0 };
    },
  },
  {
    name: "holder stopped",
    killsHolder: false,
    losesLease: true,
    disturb: async (round) => {
      const found = await findHolder(round);
      found?.child.kill("SIGSTOP");
      await setTimeout(round.cutMs);
      found?.child.kill("SIGCONT");
      return undisturbed(round);
    },
  },
  {
    name: "Postgres restarted",
    killsHolder: false,
    disturb: async (round) => {
      await round.request();
      await pause(ANSWER_MS);
      await round.postgres.stop(Math.random() < 0.5 ? "fast" : "immediate");
      await pause(2_000);
      await round.postgres.start();
      return undisturbed(round);
    },
  },
  {
    name: "network cut",
    killsHolder: false,
    disturb: async (round) => {
      const pid = await round.holder();
      await round.request();
      const relay = round.fleet.find(pid)?.host.relay;
      relay?.cut();
      await setTimeout(round.cutMs);
      relay?.reconnect();
      return undisturbed(round);
    },
  },
  {
    name: "replica promoted",
    killsHolder: false,
    disturb: async (round) => {
      const { fleet, postgres } = round;
      const replica = replicas.get(postgres);
      if (replica === undefined) throw new Error("there is no replica");
      await round.request();
      await pause(ANSWER_MS);
      await postgres.stop("immediate");
      await replica.promote();
      for (const { relay } of fleet.hosts) relay.leadTo(replica.port);
      return { killed: 0, postgres: replica };
    },
  },
];

const ANSWER_MS = 500;

const replicas = new WeakMap<Postgres, Postgres>();

/** Starts a replica that confirms every commit of the primary before the client hears of it. */
export const addReplica = async (primary: Postgres): Promise<Postgres> => {
  const replica = await startPostgres({
    settings: [...serverSettings, "synchronous_standby_names = ''"],
    replicaOf: primary,
  });
  primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
  primary.sql("SELECT pg_reload_conf()");
  replicas.set(primary, replica);
  return replica;
};
