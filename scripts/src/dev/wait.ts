/** Tasks `temporal:ready` and `kms:ready`: `wait.ts VARIABLE` ends when the port that VARIABLE holds takes connections. */
import { waitUntilReady } from './probe.ts';
import { requiredPort } from './required.ts';

for (const variable of process.argv.slice(2)) await waitUntilReady(`127.0.0.1:${requiredPort(variable)}`);
