/** `pnpm fuzz`: fuzzes the targets one after another. */
import { parseArgs } from 'node:util';
import { fuzz, fuzzRuns, updateCorpus } from './run.ts';

const help = `Usage: pnpm fuzz [--seconds N] [--update] [PART OF A TARGET'S NAME…]

Fuzzes each target for 60 seconds. Inputs that reach new code are added to .dev/fuzz.
  --seconds N   seconds per target
  --update      afterwards replaces each corpus by the fewest inputs in .dev/fuzz that reach the same code
  --list        only lists the targets`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    update: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const runs = await fuzzRuns(positionals);

if (values.help) {
  print(help);
} else if (values.list) {
  for (const { name } of runs) print(name);
} else {
  for (const run of runs) {
    try {
      print(`${run.name}: ${JSON.stringify(await fuzz(run, Number(values.seconds)))}`);
    } catch (error) {
      print(String(error));
      process.exitCode = 1;
    }
  }
  if (values.update)
    for (const target of new Map(runs.map((run) => [run.target.file, run.target])).values())
      print(`${target.name}: ${await updateCorpus(target)} inputs`);
}
