import { isPortTaken } from '../ports.ts';

export interface DevPort {
  /** The variable that changes it. */
  readonly variable: string;
  readonly port: number;
  /** Who listens on it, for messages. */
  readonly listener: string;
}

/**
 * Every port of `dev`.
 *
 * @throws Error with a line for each variable that holds no port, or the same as another.
 */
export function devPorts(env: NodeJS.ProcessEnv) {
  const port = (variable: string, usual: number, listener: string): DevPort => {
    const value = env[variable] || String(usual);
    return { variable, port: /^\d{1,5}$/.test(value) ? Number(value) : 0, listener };
  };
  const ports = {
    temporal: port('DEV_TEMPORAL_PORT', 7233, 'the Temporal server'),
    temporalUi: port('DEV_TEMPORAL_UI_PORT', 8233, "Temporal's Web UI"),
    kms: port('DEV_KMS_PORT', 9061, 'the KMS emulator'),
    kmsControl: port('DEV_KMS_CONTROL_PORT', 9062, "the KMS emulator's controls"),
    codec: port('DEV_CODEC_PORT', 8088, 'the codec server'),
    worker: port('DEV_WORKER_PORT', 8089, "the worker's health endpoints"),
    ui: port('DEV_UI_PORT', 5173, 'the dashboard'),
  };
  const mistakes = Object.values(ports).flatMap((wanted, index, all) => mistake(wanted, all.slice(0, index)));
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'));
  return ports;
}

export type DevPorts = ReturnType<typeof devPorts>;

function mistake({ variable, port, listener }: DevPort, before: readonly DevPort[]): string[] {
  if (port < 1 || port > 65_535) return [`${variable} must be a port, a whole number from 1 to 65535.`];
  const other = before.find((earlier) => earlier.port === port);
  return other
    ? [`${variable} and ${other.variable} are both ${port}: ${listener} needs a port of its own.`]
    : [];
}

/** @throws Error that names every port in use, who needs it and the variable that changes it. */
export async function requireFreePorts(ports: readonly DevPort[]): Promise<void> {
  const taken = await Promise.all(
    ports.map(async (wanted) => ({ ...wanted, taken: await isPortTaken(wanted.port) })),
  );
  const lines = taken
    .filter((wanted) => wanted.taken)
    .map(({ port, listener, variable }) => {
      return `Port ${port} of ${listener} is in use. Free it, or set ${variable} to another one.`;
    });
  if (lines.length > 0) throw new Error(lines.join('\n'));
}
