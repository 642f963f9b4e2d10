import type { Command } from 'commander';
import { z } from 'zod';
import { parseDuration, parsePort } from './values.ts';

/** The parts of a key that the commands print, from the control API's `GET /keys` and `POST /rotate`. */
const keysBody = z.object({
  keys: z.array(
    z.object({
      name: z.string(),
      primary: z.string().optional(),
      nextRotationTime: z.string().optional(),
      versions: z.record(z.string(), z.number()),
    }),
  ),
});

const clockBody = z.object({ now: z.string() });

interface ClockOptions {
  readonly advance?: number;
  readonly set?: string;
  readonly reset?: true;
}

/** Adds the commands that call the control API of a running emulator: `rotate` and `clock`. */
export function addRemoteCommands(program: Command): void {
  const call = controlCaller(program);
  const write = (text: string): void => program.configureOutput().writeOut?.(text);
  program
    .command('rotate [key]')
    .description(
      'create a version of a key in a running emulator and make it primary (default: for every key)',
    )
    .action(async (name?: string) => {
      const { keys } = keysBody.parse(await call('POST', '/rotate', name === undefined ? {} : { name }));
      write(textOf(keys));
    });
  program
    .command('clock')
    .description(
      'show or move the clock of a running emulator; rotations and destructions that become due happen',
    )
    .option('--advance <duration>', 'move the clock forward, such as 90d, 24h, 30m or 10s', parseDuration)
    .option('--set <time>', 'set the clock, such as 2030-01-01T00:00:00Z')
    .option('--reset', 'return to the real time')
    .action(async ({ advance, set, reset }: ClockOptions) => {
      if ([advance, set, reset].filter((option) => option !== undefined).length > 1)
        program.error('kms-emulator: use one of --advance, --set and --reset.');
      if (advance !== undefined) await call('PUT', '/clock', { advanceSeconds: advance });
      if (set !== undefined) await call('PUT', '/clock', { now: set });
      if (reset) await call('DELETE', '/clock');
      write(`The emulator's clock: ${clockBody.parse(await call('GET', '/clock')).now}\n`);
      write(textOf(keysBody.parse(await call('GET', '/keys')).keys));
    });
}

function textOf(keys: z.infer<typeof keysBody>['keys']): string {
  const lines = keys.map(({ name, primary, nextRotationTime, versions }) => {
    const states = Object.entries(versions).map(([state, count]) => `${count} ${state}`);
    const facts = [
      `versions: ${states.join(', ') || 'none'}`,
      ...(primary === undefined ? [] : [`primary: ${primary.slice(primary.lastIndexOf('/') + 1)}`]),
      ...(nextRotationTime === undefined ? [] : [`next rotation: ${nextRotationTime}`]),
    ];
    return `${name}\n  ${facts.join('; ')}\n`;
  });
  return lines.join('');
}

/** Returns a function that calls the control API at `--control-port` of `--host`, and ends the process on an error. */
function controlCaller(program: Command) {
  return async (method: string, path: string, body?: object): Promise<unknown> => {
    const { host, controlPort }: { host: string; controlPort: number } = program.opts();
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${parsePort(String(controlPort))}`;
    const { ok, text } = await send(`${url}${path}`, method, body).catch((error: unknown) => {
      const cause =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      return program.error(
        `kms-emulator: no emulator answers at ${url} (${cause}). Start one, or set --control-port before the command.`,
      );
    });
    return ok ? JSON.parse(text) : program.error(`kms-emulator: the emulator refused: ${text}`);
  };
}

async function send(url: string, method: string, body?: object): Promise<{ ok: boolean; text: string }> {
  const response = await fetch(url, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { ok: response.ok, text: await response.text() };
}
