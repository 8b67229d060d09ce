// @ts-check
// A tenth, all at once, a tenth again: `k6 run tests/load/spike.js`.

import { RATE, options as of, summary } from './options.js';
import { request } from './requests.js';

export const options = of(RATE / 10, [
  { duration: '2m', target: RATE / 10 },
  { duration: '0s', target: RATE },
  { duration: '1m', target: RATE },
  { duration: '0s', target: RATE / 10 },
  { duration: '2m', target: RATE / 10 },
]);

export default request;

/** @param {import('./options.js').Summary} data */
export const handleSummary = (data) => summary('spike', data);
