// @ts-check
// Up to half, up to all, and down: `k6 run tests/load/stress.js`.

import { RATE, options as of, summary } from './options.js';
import { request } from './requests.js';

export const options = of(0, [
  { duration: '5m', target: RATE / 2 },
  { duration: '10m', target: RATE },
  { duration: '15m', target: 0 },
]);

export default request;

/** @param {import('./options.js').Summary} data */
export const handleSummary = (data) => summary('stress', data);
