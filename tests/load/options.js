// @ts-check
// What every load promises, and how its summary is written.

/**
 * Requests a second at the most; `RATE` says another.
 */
export const RATE = Number(__ENV.RATE ?? 200);

/**
 * @typedef {{ duration: string, target: number }} Stage
 * @typedef {{ metrics: Record<string, { type: string, contains: string, values: Record<string, number> }> }} Summary
 */

/**
 * An open loop: requests come at a rate, whether those before are answered or not.
 * What could not be sent counts as `dropped_iterations`.
 *
 * @param {number} startRate Requests a second at the beginning.
 * @param {Stage[]} stages
 * @returns {import('k6/options').Options}
 */
export function options(startRate, stages) {
  return {
    scenarios: {
      all: {
        executor: 'ramping-arrival-rate',
        timeUnit: '1s',
        // k6 takes whole numbers only.
        startRate: Math.round(startRate),
        stages: stages.map(({ duration, target }) => ({ duration, target: Math.round(target) })),
        preAllocatedVUs: RATE,
        maxVUs: 10 * RATE,
      },
    },
    thresholds: {
      http_req_duration: ['p(95)<350', 'p(99)<900'],
      'http_req_duration{path:read}': ['p(95)<350', 'p(99)<900'],
      'http_req_duration{path:write}': ['p(95)<350', 'p(99)<900'],
      'http_req_duration{path:subscription}': ['p(95)<350', 'p(99)<900'],
      // Over a WebSocket: from the handshake until the operation is complete.
      ws_subscription_duration: ['p(95)<350', 'p(99)<900'],
      http_req_failed: ['rate<0.001'],
      checks: ['rate>0.999'],
      dropped_iterations: ['count<1'],
    },
    summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)'],
  };
}

/**
 * The file that `cargo xtask load` writes, too.
 *
 * @param {string} profile
 * @param {Summary} data
 * @returns {Record<string, string>}
 */
export function summary(profile, data) {
  const { values } = data.metrics.http_req_duration;
  return {
    [`reports/k6-${profile}.json`]: JSON.stringify({ engine: { name: 'k6', profile }, ...data }, null, 2),
    stdout: `${profile}: p95 ${values['p(95)']} ms, p99 ${values['p(99)']} ms\n`,
  };
}
