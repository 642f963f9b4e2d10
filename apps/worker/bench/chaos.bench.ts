import { parseArgs } from 'node:util';
import { startFleet } from './chaos/fleet.ts';
import { outage, troubles } from './chaos/outage.ts';

const { values } = parseArgs({
  options: {
    processes: { type: 'string', default: '1' },
    'in-flight': { type: 'string', default: '220' },
    seconds: { type: 'string', default: '60' },
    lifetime: { type: 'string', default: '30' },
    store: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/chaos.bench.ts [--processes 1] [--in-flight 220] [--seconds 60] [--lifetime 30] [--store file:DIRECTORY]\n' +
      'Runs worker processes, separate for workflow tasks and activity tasks, through an outage of Cloud KMS: no answer,\n' +
      'errors, and slow answers, for --seconds each. --processes is the number of each kind, --lifetime the seconds after\n' +
      'which the keys that encrypt are replaced, --store the value of KMS_BRANCH_KEYS.',
  );
  process.exit(0);
}
const fleet = await startFleet({
  processes: Number(values.processes),
  keyLifetimeMs: Number(values.lifetime) * 1_000,
  ...(values.store !== undefined && { env: { KMS_BRANCH_KEYS: values.store } }),
});
try {
  // The first seconds start processes and fill caches.
  const load = fleet.load(Number(values['in-flight']));
  await load.run(5_000);
  const throughput = await outage(fleet, load, Number(values.seconds) * 1_000);
  await load.stop();
  const report = await fleet.report();
  console.log('| Cloud KMS | workflows per second | of before |\n|---|---|---|');
  for (const phase of ['before', ...troubles, 'after'] as const) {
    const rate = throughput[phase];
    console.log(`| ${phase} | ${rate.toFixed(1)} | ${(rate / throughput.before).toFixed(2)} |`);
  }
  console.log(
    `\n${report.completed} workflows completed, ${report.failed} failed; ${report.clientErrors} client calls failed, ${report.rerun} activities ran again, ` +
      `${report.taskFailures} workflow tasks failed or timed out, ${report.deadWorkers} workers ended.`,
  );
} finally {
  await fleet.close();
}
