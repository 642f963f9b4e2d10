/** Task `dev:ready`: one line when everything answers and the sample workflows are started. */
import { isRemote } from './environment.ts';
import { waitUntilReady } from './probe.ts';
import { requiredPort } from './required.ts';
import { readyWord } from './start.ts';

const url = (variable: string) => `http://127.0.0.1:${requiredPort(variable)}`;
const dashboard = url('DEV_UI_PORT');
const codecServer = url('DEV_CODEC_PORT');
const targets = [dashboard, `${codecServer}/readyz`, `${url('DEV_WORKER_PORT')}/readyz`];
const addresses = [`Dashboard ${dashboard}`, `codec server ${codecServer}`];
if (!isRemote(process.env)) {
  const temporalUi = url('DEV_TEMPORAL_UI_PORT');
  targets.push(temporalUi);
  addresses.splice(1, 0, `Temporal Web UI ${temporalUi}`);
}
await Promise.all(targets.map((target) => waitUntilReady(target)));
console.log(`${readyWord} ${addresses.join(' · ')}`);
