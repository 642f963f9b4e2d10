import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { Checks } from '../test/chaos/checks.ts';
import type { Scenario, ScenarioOptions } from '../test/chaos/scenario.ts';
import { freeze } from '../test/chaos/scenarios/freeze.ts';
import { join } from '../test/chaos/scenarios/join.ts';
import { kill } from '../test/chaos/scenarios/kill.ts';
import { limit } from '../test/chaos/scenarios/limit.ts';
import { memory } from '../test/chaos/scenarios/memory.ts';
import { outage } from '../test/chaos/scenarios/outage.ts';
import { random } from '../test/chaos/scenarios/random.ts';
import { revoke } from '../test/chaos/scenarios/revoke.ts';
import { store } from '../test/chaos/scenarios/store.ts';
import { storeKinds } from '../test/chaos/stores.ts';

const scenarios: Readonly<Record<string, Scenario>> = {
  outage,
  join,
  limit,
  kill,
  revoke,
  store,
  freeze,
  memory,
  random,
};

const help = `pnpm bench chaos [${Object.keys(scenarios).join('|')}]… [options]

Runs worker processes, some for workflow tasks and some for activity tasks, through faults, while a client keeps workflows in
progress. Prints each promise with what was observed. Exits with 1 if a promise was broken. Default: all scenarios.

  outage   Cloud KMS does not answer, then returns errors, then takes 2 s per call; a second fleet runs without an outage
  join     processes start while Cloud KMS returns errors; queries and updates
  limit    25 h without Cloud KMS, on clocks that are moved
  kill     kill -9 of one worker per role, of Cloud KMS and of Temporal
  revoke   rotation; the primary version disabled and enabled, the role removed and granted, each twice
  store    the store of branch keys is gone, read-only, slow, corrupted, rolled back
  freeze   Temporal frozen (SIGSTOP)
  memory   heap and RSS of the workers over many workflows
  random   random faults of Cloud KMS, its network, the store, processes, clocks and Temporal. Faults of processes, clocks
           and Temporal also hit a control fleet without the codec

  --processes 2      worker processes of each role
  --in-flight 220    workflows in progress
  --seconds 60       length of a phase
  --lifetime 30      seconds after which encryption keys are replaced; in production, an hour
  --store file       how the processes share branch keys: ${storeKinds.join(', ')}. Default: file and gs in the scenario store, all in revoke
  --workflows 20000  workflows of the scenario memory
  --seed N           the faults of the scenario random. Default: a new seed for each run, which is printed
  --faults 45        number of faults in the scenario random
  --minutes 25       how long the scenario random lasts. It keeps 12 workflows in progress in each fleet, with the store file`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    processes: { type: 'string', default: '2' },
    'in-flight': { type: 'string', default: '220' },
    seconds: { type: 'string', default: '60' },
    lifetime: { type: 'string', default: '30' },
    store: { type: 'string' },
    workflows: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    faults: { type: 'string', default: '45' },
    minutes: { type: 'string', default: '25' },
    help: { type: 'boolean', default: false },
  },
});

function readOptions(): ScenarioOptions {
  const number = (name: Exclude<keyof typeof values, 'store' | 'help'>): number => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new RangeError(`--${name} is ${values[name]}; it must be a number above 0`);
    return value;
  };
  const kind = storeKinds.find((name) => name === values.store);
  if (kind === undefined && values.store !== undefined)
    throw new RangeError(`--store is ${values.store}; it must be ${storeKinds.join(', ')}`);
  return {
    processes: number('processes'),
    inFlight: number('in-flight'),
    seconds: number('seconds'),
    keyLifetimeMs: number('lifetime') * 1_000,
    store: kind,
    keptThroughput: 0.9,
    workflows: number('workflows'),
    seed: number('seed'),
    faults: number('faults'),
    minutes: number('minutes'),
  };
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(help);
    return 0;
  }
  const options = readOptions();
  const finished: Checks[] = [];
  const names = positionals.length > 0 ? positionals : Object.keys(scenarios);
  const unknown = names.filter((name) => !Object.hasOwn(scenarios, name));
  if (unknown.length > 0) throw new RangeError(`There is no scenario ${unknown.join(', ')}. See --help.`);
  for (const name of names) {
    const run = scenarios[name];
    if (!run) continue;
    const checks = new Checks(name, (line) => console.error(line));
    try {
      await run(checks, options);
    } catch (error) {
      checks.check('the scenario runs to its end', false, messageOf(error));
    }
    finished.push(checks);
  }
  for (const { figures } of finished) if (figures.length > 0) console.log(`\n${figures.join('\n')}`);
  console.log('\n| scenario | promise | seen | |\n|---|---|---|---|');
  const all = finished.flatMap((checks) => checks.all);
  for (const { scenario, promise, seen, isKept } of all)
    console.log(`| ${scenario} | ${promise} | ${seen.split('\n')[0]} | ${isKept ? 'kept' : 'BROKEN'} |`);
  const broken = all.filter(({ isKept }) => !isKept).length;
  console.log(`\n${all.length - broken} promises kept, ${broken} broken.`);
  return broken === 0 ? 0 : 1;
}

// Calls `process.exit` after a signal, because exit handlers unmount disks and delete temporary files.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof RangeError ? error.message : error);
  process.exitCode = 2;
}
