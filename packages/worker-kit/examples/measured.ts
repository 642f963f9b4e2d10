import { loadKmsCodec, reportMetrics } from '@temporal-kms/kms-codec';
import { safeRuntimeOptions } from '@temporal-kms/worker-kit/logging';
import { Runtime } from '@temporalio/worker';

const { logger, telemetryOptions } = safeRuntimeOptions();
const metrics = { prometheus: { bindAddress: '127.0.0.1:9465', countersTotalSuffix: true } };
Runtime.install({ logger, telemetryOptions: { ...telemetryOptions, metrics } });

const reported = reportMetrics(Runtime.instance().metricMeter);
const codec = loadKmsCodec({ observer: reported.observer });
reported.follow(codec, ['default']);
await codec.warm();

const text = await (await fetch('http://127.0.0.1:9465/metrics')).text();
console.log(
  text
    .split('\n')
    .filter((line) => line.startsWith('codec_kms_failing'))
    .join('\n'),
);

reported.stop();
await codec.close();
await Runtime.instance().shutdown();
