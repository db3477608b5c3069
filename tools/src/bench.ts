// A benchmark compares a subject with a reference in the same run, in alternating rounds: on a shared machine, a ratio
// is more stable than an absolute time. The best rounds are compared, because noise only adds time. A row over its
// limit is marked OVER, and the process exits with 1.

type Work = () => unknown;

export interface Comparison {
  readonly reference: Work;
  readonly subject: Work;
  /** The subject may take this many times the reference's time. */
  readonly limit: number;
  /** Calls in one round of each. Default: as many as take about 20 ms. */
  readonly calls?: number;
  readonly rounds?: number;
}

interface Row {
  readonly name: string;
  readonly figure: string;
  readonly limit: string;
  readonly isWithin: boolean;
}

const timePerCallMs = async (work: Work, calls: number): Promise<number> => {
  const start = performance.now();
  for (let call = 0; call < calls; call++) {
    const result = work();
    if (result instanceof Promise) await result;
  }
  return (performance.now() - start) / calls;
};

const ROUND_MS = 20;

const callsPerRound = async (work: Work): Promise<number> => {
  for (let calls = 1; ; calls *= 4) {
    const perCall = await timePerCallMs(work, calls);
    if (perCall * calls >= ROUND_MS / 4) return Math.max(1, Math.ceil(ROUND_MS / perCall));
  }
};

const best = (times: ReadonlyArray<number>): number => {
  const fastest = times.toSorted((a, b) => a - b).slice(0, Math.max(1, times.length >> 2));
  return fastest.reduce((sum, time) => sum + time, 0) / fastest.length;
};

const pretty = (ms: number): string =>
  ms >= 1
    ? `${ms.toFixed(2)} ms`
    : ms >= 0.001
      ? `${(ms * 1e3).toFixed(2)} µs`
      : `${(ms * 1e6).toFixed(0)} ns`;

/** Collects measurements under one title; `report` prints them and sets the exit code. */
export const makeBench = (title: string) => {
  const rows: Array<Row> = [];
  return {
    /** Time of the subject ÷ time of the reference, alternating rounds, best quarter of each. */
    async compare(name: string, options: Comparison): Promise<void> {
      const rounds = options.rounds ?? 40;
      const calls = options.calls ?? (await callsPerRound(options.reference));
      const subjectCalls = options.calls ?? (await callsPerRound(options.subject));
      const reference: Array<number> = [];
      const subject: Array<number> = [];
      for (let round = 0; round < rounds; round++) {
        reference.push(await timePerCallMs(options.reference, calls));
        subject.push(await timePerCallMs(options.subject, subjectCalls));
      }
      const [base, own] = [best(reference), best(subject)];
      const ratio = own / base;
      rows.push({
        name,
        figure: `${ratio.toFixed(2)} × (${pretty(own)} against ${pretty(base)})`,
        limit: `≤ ${options.limit} ×`,
        isWithin: ratio <= options.limit,
      });
    },
    /** Time of one call. */
    async time(name: string, work: Work, limitMs: number): Promise<void> {
      const calls = await callsPerRound(work);
      const times: Array<number> = [];
      for (let round = 0; round < 40; round++) times.push(await timePerCallMs(work, calls));
      const own = best(times);
      rows.push({
        name,
        figure: pretty(own),
        limit: `≤ ${pretty(limitMs)}`,
        isWithin: own <= limitMs,
      });
    },
    /** Adds a figure that was measured elsewhere: a rate, a count, megabytes. */
    record(name: string, figure: string, limit: string, isWithin: boolean): void {
      rows.push({ name, figure, limit, isWithin });
    },
    report(): void {
      const width = Math.max(...rows.map((row) => row.name.length));
      console.log(`\n${title}`);
      for (const row of rows)
        console.log(
          `  ${row.isWithin ? "ok  " : "OVER"}  ${row.name.padEnd(width)}  ${row.figure}  (limit ${row.limit})`,
        );
      if (rows.some((row) => !row.isWithin)) process.exitCode = 1;
    },
  };
};
