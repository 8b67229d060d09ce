// @ts-check
// One rate for half an hour, to see what grows: `k6 run tests/load/soak.js`.

import { RATE, options as of, summary } from './options.js';
import { request } from './requests.js';

export const options = of(RATE, [{ duration: '30m', target: RATE }]);

export default request;

/** @param {import('./options.js').Summary} data */
export const handleSummary = (data) => summary('soak', data);
