/** Task `dev:ready`: one line when everything answers and the sample workflows are started. */
import { waitUntilReady } from './probe.ts';
import { requiredPort } from './required.ts';
import { readyWord } from './start.ts';

const url = (variable: string) => `http://127.0.0.1:${requiredPort(variable)}`;
const dashboard = url('DEV_UI_PORT');
const temporalUi = url('DEV_TEMPORAL_UI_PORT');
const codecServer = url('DEV_CODEC_PORT');

await Promise.all(
  [dashboard, temporalUi, `${codecServer}/readyz`, `${url('DEV_WORKER_PORT')}/readyz`].map((target) =>
    waitUntilReady(target),
  ),
);
console.log(
  `${readyWord} Dashboard ${dashboard} · Temporal Web UI ${temporalUi} · codec server ${codecServer}`,
);
