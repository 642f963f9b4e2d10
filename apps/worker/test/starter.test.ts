import { encodingOf, readHistory } from '@temporal-kms/testing/history';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import packageJson from '../package.json' with { type: 'json' };
import { catalogue } from '../src/starter/catalogue.ts';
import { createStarterProgram } from '../src/starter/program.ts';
import { samplesReadWith } from '../src/starter/sample-data.ts';
import { startApp, runStarter, type App } from './support/app.ts';
import { kmsVariables, namespace, startTemporalAndKms, taskQueue } from './support/stack.ts';

describe("the starter's command line", () => {
  let services: Awaited<ReturnType<typeof startTemporalAndKms>>;
  let app: App;
  let env: Record<string, string>;

  beforeAll(async () => {
    services = await startTemporalAndKms();
    env = {
      ...kmsVariables(services.emulator.address),
      TEMPORAL_ADDRESS: services.address,
      TEMPORAL_TASK_QUEUE: taskQueue,
    };
    app = startApp(env);
  });
  afterAll(async () => {
    await app?.kill();
    await services?.close();
  });

  /** Runs the command line in this process. */
  const run = async (args: readonly string[], environment: Record<string, string> = env) => {
    const printed: string[] = [];
    const errors: string[] = [];
    const program = createStarterProgram({ print: (line) => void printed.push(line), env: environment });
    for (const command of [program, ...program.commands]) {
      command
        .exitOverride()
        .configureOutput({
          writeOut: (text) => void printed.push(text),
          writeErr: (text) => void errors.push(text),
        });
    }
    const failure = await program.parseAsync(args, { from: 'user' }).then(() => undefined, messageOf);
    return { printed, failure, errors: errors.join('') };
  };

  it('prints commands and variables for --help', async () => {
    const { code, stdout } = await runStarter(['--help']);
    expect(code).toBe(0);
    for (const word of [
      'list',
      'samples',
      'start',
      'TEMPORAL_ADDRESS',
      'GCP_KMS_KEY',
      'TEMPORAL_TASK_QUEUE',
    ]) {
      expect(stdout).toContain(word);
    }
  });

  it('prints its version for --version', async () => {
    expect((await run(['--version'], {})).printed).toEqual([`${packageJson.version}\n`]);
  });

  it('lists every sample with its default input, without environment variables', async () => {
    const { printed } = await run(['list'], {});
    for (const [name, { input }] of Object.entries(catalogue)) {
      expect(printed.join('\n')).toContain(`${name}\n`);
      expect(printed.join('\n')).toContain(JSON.stringify(input));
    }
  });

  it('starts a sample with a given id and input, and prints the result', async () => {
    const args = ['start', 'stocktake', '--id', 'small-stocktake', '--input', '{"shelves":3}', '--wait'];
    const { code, stdout } = await runStarter(args, env);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'small-stocktake: started\nsmall-stocktake: "121 articles on 3 shelves in Northgate"\n',
    });
  });

  it.each([
    ['envelope', 'binary/envelope-kms'],
    ['direct', 'binary/gcp-kms'],
    ['plain', 'json/plain'],
  ])('encrypts with --format %s as %s, which the worker decodes', async (format, encoding) => {
    const workflowId = `written-as-${format}`;
    const args = ['start', 'courier', '--id', workflowId, '--format', format];
    const input = ['--input', '{"lastStop":1,"intervalMs":1}', '--wait'];
    expect(await run([...args, ...input])).toMatchObject({
      failure: undefined,
      printed: [`${workflowId}: started`, `${workflowId}: "Joanna Kowalska is home after 1 stops"`],
    });
    const [started] = await readHistory(services.connection, namespace, { workflowId });
    const stored = started?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    expect(encodingOf(stored ?? {})).toBe(encoding);
  });

  it.each([
    ['an unknown sample', ['start', 'orders'], 'There is no sample orders'],
    ['an input that is not an object', ['start', 'order', '--input', '[1]'], 'must be a JSON object'],
    ['an unknown field', ['start', 'order', '--input', '{"client":"A"}'], 'has no field client'],
    ['a field of another type', ['start', 'order', '--input', '{"customer":7}'], 'must be of type string'],
    ['an unknown format', ['start', 'order', '--format', 'rot13'], 'Allowed choices are'],
    ['an id that exists', ['start', 'courier', '--id', 'written-as-plain'], 'already'],
  ])('rejects %s, and states the reason', async (_what, args, words) => {
    const { failure, printed } = await run(args);
    expect(failure).toContain(words);
    expect(printed).toEqual([]);
  });

  it('prints an error as one line, and exits with 1', async () => {
    const { code, stderr } = await runStarter(['start', 'order', '--input', '{"client":"A"}'], env);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'The input has no field client. Its fields are customer, address, items.\n',
    });
  });
});

const idsWith = (formats: Parameters<typeof samplesReadWith>[0]): string[] =>
  samplesReadWith(formats).map(({ workflowId }) => workflowId);

it('leaves out the samples whose payloads the worker would refuse', () => {
  const all = idsWith(new Set(['envelope-v2', 'envelope', 'direct']));
  expect(all).toContain('order-1002');
  // These are the formats that can be read without KMS_UNSAFE.
  expect(idsWith(new Set(['envelope-v2', 'direct']))).toEqual(all.filter((id) => id !== 'order-1002'));
});
