import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Metric from "effect/Metric";
import type { RejectionReason } from "../errors/index.ts";

/** The outcome of a request: the kind of caller that sent it, or why it was rejected. The counter has no other label. */
export type Outcome = "agent" | "user" | RejectionReason;

/** The name of the counter. */
export const requestsMetric = "agent_auth_gateway_requests_total";

/**
 * Counts requests by outcome, in Effect's metrics registry. No label has a value that a caller chooses.
 *
 * @example
 * ```ts
 * import { GatewayMetrics } from "@agent-auth/gateway/metrics";
 * import * as Effect from "effect/Effect";
 *
 * const program = GatewayMetrics.use((metrics) => {
 *   metrics.count("unknown_agent");
 *   return metrics.prometheus;
 * });
 * const text = await Effect.runPromise(program.pipe(Effect.provide(GatewayMetrics.layer)));
 * ```
 */
export class GatewayMetrics extends Context.Service<
  GatewayMetrics,
  {
    readonly count: (outcome: Outcome) => void;
    /** How many requests had each outcome so far. */
    readonly counts: () => Readonly<Partial<Record<Outcome, number>>>;
    /** All metrics of the registry in Prometheus' text format. */
    readonly prometheus: Effect.Effect<string>;
  }
>()("@agent-auth/gateway/metrics") {
  static readonly layer: Layer.Layer<GatewayMetrics> = Layer.effect(
    GatewayMetrics,
    Effect.map(Effect.context(), (context) => {
      const requests = Metric.counter(requestsMetric, {
        description: "Requests by outcome: agent, user, or the reason of the rejection",
        incremental: true,
      });
      const counters = new Map<Outcome, Metric.Counter<number>>();
      const counterOf = (outcome: Outcome) => {
        const known = counters.get(outcome);
        if (known !== undefined) return known;
        const counter = Metric.withAttributes(requests, { outcome });
        counters.set(outcome, counter);
        return counter;
      };
      return GatewayMetrics.of({
        count: (outcome) => counterOf(outcome).updateUnsafe(1, context),
        counts: () =>
          Object.fromEntries(
            Array.from(counters, ([outcome, one]) => [outcome, one.valueUnsafe(context).count]),
          ),
        prometheus: Effect.flatMap(
          Effect.promise(() => import("effect/observability/PrometheusMetrics")),
          ({ format }) => Effect.provideContext(format(), context),
        ),
      });
    }),
  );
}
