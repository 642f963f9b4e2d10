import type { Values } from '@temporal-kms/config';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, appendFile, type FileHandle, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { crc32 } from 'node:zlib';
import { codeOf, messageOf } from '@temporal-kms/node-utils/error-details';
import { checkTrustedFolder, openTrustedFile } from '@temporal-kms/node-utils/trusted-files';
import { CliError } from '../cli/cli-error.ts';
import { writePrivateFile } from '../cli/private-file.ts';
import type { KeptObjects, ObjectContent } from './stored-objects.ts';
import type { HistorySummary } from './history-summary.ts';

/** Maximum number of lines that wait in memory to be written. */
const MAX_BUFFERED = 500;
/**
 * Maximum number of runs in memory, where each run takes a few hundred bytes. Every scan reads the runs beyond this
 * number again.
 */
const MAX_RUNS = 10_000_000;
/** Included in the input to each line's checksum, so that lines from a file in another format are invalid. */
const FORM = 'temporal-kms scan 3 ';

/** The part of a run that the state keeps. */
interface KeptSummary extends HistorySummary {
  /** When the run was read, in days since 1970. The run was already closed when it was read. */
  readonly day: number;
}

/** The part of an object that the state keeps, and when the object was read, in milliseconds since 1970. */
interface KeptObject extends ObjectContent {
  readonly time: number;
}

/**
 * The findings of earlier scans in a namespace's closed runs, whose histories no longer change. The file is a
 * journal: a scan that is killed at any moment loses at most the lines that it has not written, and the next
 * scan reads those runs again. A line counts only if its checksum is right, so a truncated or garbled line is
 * ignored.
 *
 * The file contains run ids, names and ids of keys, formats, versions, counts, the days on which runs were read, and
 * the names of the objects in external storage that runs refer to.
 */
export class ScanState implements KeptObjects {
  readonly #path: string;
  readonly #now: () => Date;
  readonly #summaries = new Map<string, KeptSummary>();
  /** The objects in external storage that a scan in progress has read, by their ids. */
  readonly #objects = new Map<string, KeptObject>();
  /** The ids of the traits that the file contains. */
  readonly #written = new Set<string>();
  #buffer: string[] = [];
  #writing: Promise<void> = Promise.resolve();
  #lines = 0;

  private constructor(path: string, now: () => Date) {
    this.#path = path;
    this.#now = now;
  }

  /**
   * Reads the state, or creates it.
   * @throws Error if the file can be neither read nor created, or if others can write it
   */
  static async open(path: string, now: () => Date = () => new Date()): Promise<ScanState> {
    const state = new ScanState(path, now);
    await createStateFolder(dirname(path));
    // Appends a line feed, so that a truncated line is not joined with the next line.
    await state.#load('\n');
    return state;
  }

  /** Reads the file, and then appends text. */
  async #load(text = ''): Promise<void> {
    const { handle } = await openTrustedFile(
      this.#path,
      constants.O_RDWR | constants.O_APPEND | constants.O_CREAT,
    );
    try {
      // A file from an older version may have another mode.
      await handle.chmod(0o600);
      await this.#read(handle);
      await handle.appendFile(text);
    } finally {
      await handle.close();
    }
  }

  async #read(file: FileHandle): Promise<void> {
    const traits = new Map<string, string>();
    const input = file.createReadStream({ start: 0, autoClose: false });
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      const content = contentOf(line);
      if (content === undefined) continue;
      this.#lines += 1;
      const [type, id = '', ...rest] = content.split(' ');
      if (type === 'trait') {
        traits.set(id, rest.join(' '));
        this.#written.add(id);
      } else if (type === 'run') {
        const summary = readSummary(rest, traits);
        if (summary !== undefined && this.#hasRoomFor(id)) this.#summaries.set(id, summary);
      } else if (type === 'object') {
        const object = readObject(rest, traits, this.#now().getTime());
        if (object !== undefined) this.#objects.set(id, object);
      } else if (type === 'end') {
        this.#objects.clear();
      }
    }
  }

  get size(): number {
    return this.#summaries.size;
  }

  get(runId: string): HistorySummary | undefined {
    return this.#summaries.get(runId);
  }

  #hasRoomFor(runId: string): boolean {
    return this.#summaries.size < MAX_RUNS || this.#summaries.has(runId);
  }

  /** Keeps the summary of a closed run. */
  set(runId: string, summary: HistorySummary): void {
    if (!this.#hasRoomFor(runId)) return;
    const kept = { ...summary, day: dayOf(this.#now()) };
    this.#summaries.set(runId, kept);
    this.#buffer.push(...this.#linesOf(runId, kept));
    if (this.#buffer.length >= MAX_BUFFERED) void this.flush().catch(() => undefined);
  }

  #linesOf(runId: string, { day, payloads, traits }: KeptSummary): string[] {
    const lines = this.#traitLines(traits.keys());
    const counts = [...traits].map(([text, count]) => `${traitId(text)}:${count}`);
    lines.push(lineOf(['run', runId, day, payloads, ...counts].join(' ')));
    return lines;
  }

  /** Returns a line for each trait that the file does not contain. */
  #traitLines(traits: Iterable<string>): string[] {
    const lines: string[] = [];
    for (const text of traits) {
      const id = traitId(text);
      if (!this.#written.has(id)) lines.push(lineOf(`trait ${id} ${text}`));
      this.#written.add(id);
    }
    return lines;
  }

  object(id: string): ObjectContent | undefined {
    return this.#objects.get(id);
  }

  /** Stores the content of an object until the scan ends. */
  setObject(id: string, content: ObjectContent): void {
    const kept = { ...content, time: this.#now().getTime() };
    this.#objects.set(id, kept);
    this.#buffer.push(...this.#objectLines(id, kept));
    if (this.#buffer.length >= MAX_BUFFERED) void this.flush().catch(() => undefined);
  }

  #objectLines(id: string, { time, size, traits }: KeptObject): string[] {
    const line = lineOf(['object', id, time, size, ...traits.map(traitId)].join(' '));
    return [...this.#traitLines(traits), line];
  }

  /**
   * Removes all objects from the state, so that the next scan notices if an object is gone.
   * @throws CliError if the file cannot be written
   */
  async end(): Promise<void> {
    if (this.#objects.size > 0) this.#buffer.push(lineOf('end'));
    this.#objects.clear();
    await this.flush();
  }

  /** Writes the lines that have not been written yet. @throws CliError if the file cannot be written */
  async flush(): Promise<void> {
    const lines = this.#buffer;
    this.#buffer = [];
    this.#lines += lines.length;
    await this.#write(async () => {
      if (lines.length > 0) await appendFile(this.#path, lines.join(''), { mode: 0o600 });
    });
  }

  /** Starts a write when the previous write has ended. */
  async #write(write: () => Promise<void>): Promise<void> {
    const before = this.#writing;
    this.#writing = (async () => {
      // The caller of the previous write has already received its error.
      await before.catch(() => undefined);
      await write().catch((error: unknown) => {
        // The lines of this write are lost, so later lines must not refer to their traits.
        this.#written.clear();
        return notKept(error);
      });
    })();
    await this.#writing;
  }

  /**
   * Removes the runs that Temporal no longer has.
   * @param exists the ids of all runs that a complete scan found
   */
  compact(exists: ReadonlySet<string>): Promise<void> {
    return this.#keep((runId) => exists.has(runId));
  }

  /** Removes the runs that were read before a time. */
  removeReadBefore(time: Date): Promise<void> {
    const first = dayOf(time);
    return this.#keep((_, { day }) => day >= first);
  }

  /**
   * Removes the runs for which `isKept` returns false. Rewrites the file once at least half of its lines are obsolete.
   */
  async #keep(isKept: (runId: string, summary: KeptSummary) => boolean): Promise<void> {
    const remove = (): void => {
      for (const [runId, summary] of this.#summaries)
        if (!isKept(runId, summary)) this.#summaries.delete(runId);
    };
    await this.flush();
    remove();
    if (this.#lines < 2 * (this.#summaries.size + this.#countTraits())) return;
    await this.#write(async () => {
      // Reads the file again, because other processes may have written to it.
      await this.#load();
      remove();
      this.#written.clear();
      const lines = [
        ...[...this.#summaries].flatMap(([runId, summary]) => this.#linesOf(runId, summary)),
        ...[...this.#objects].flatMap(([id, content]) => this.#objectLines(id, content)),
      ];
      this.#lines = lines.length;
      await writePrivateFile(this.#path, lines.join(''));
    });
  }

  #countTraits(): number {
    const found = new Set<string>();
    for (const { traits } of this.#summaries.values()) for (const text of traits.keys()) found.add(text);
    return found.size;
  }
}

/** How long, in milliseconds, the record of an object in external storage stays valid after the object was read. */
const MAX_OBJECT_AGE_MS = 86_400_000;

const dayOf = (time: Date): number => Math.floor(time.getTime() / 86_400_000);

/**
 * Creates the folder in which scans keep their state.
 * @throws Error if this process cannot write to the folder, or if other users can
 */
export async function createStateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await checkTrustedFolder(folder);
  await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
}

/**
 * Returns the JSON of a file in the state folder, or undefined if the file does not exist or is damaged.
 * @throws Error if others can write the file
 */
export async function readState(path: string): Promise<unknown> {
  try {
    const { handle } = await openTrustedFile(path, constants.O_RDONLY);
    try {
      return JSON.parse(await handle.readFile('utf8'));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The text about {@link defaultStateFolder} in the help. */
export const STATE_DEFAULT = '(default: ~/.local/state/temporal-kms)';

/** Returns the folder in which scans keep their state if no option names another folder. */
export const defaultStateFolder = (values: Values): string =>
  join(values['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'temporal-kms');

/** @throws CliError */
export function notKept(error: unknown): never {
  const reason = messageOf(error);
  throw new CliError(
    'configuration',
    `The state of the scan cannot be kept: ${reason}`,
    ['temporal-kms scan --state FOLDER'],
    error,
  );
}

/**
 * Returns an id that does not depend on the process that writes it, because two scans may write to the same
 * file. The id is so long that an attacker who chooses the names of objects cannot find two traits with the
 * same id.
 */
const traitId = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

const checksum = (content: string): string =>
  crc32(FORM + content)
    .toString(16)
    .padStart(8, '0');
const lineOf = (content: string): string => `${checksum(content)} ${content}\n`;

/** Returns the content of a line, unless the line is damaged. */
function contentOf(line: string): string | undefined {
  const content = line.slice(9);
  return line.length > 9 && line.slice(0, 8) === checksum(content) ? content : undefined;
}

function readSummary(
  [day, payloads, ...counts]: readonly string[],
  traits: ReadonlyMap<string, string>,
): KeptSummary | undefined {
  const found = new Map<string, number>();
  for (const pair of counts) {
    const [id = '', count] = pair.split(':');
    const text = traits.get(id);
    if (text === undefined) return undefined;
    found.set(text, Number(count));
  }
  return { day: Number(day), payloads: Number(payloads), traits: found };
}

function readObject(
  [time, size, ...ids]: readonly string[],
  traits: ReadonlyMap<string, string>,
  now: number,
): KeptObject | undefined {
  const texts = ids.flatMap((id) => traits.get(id) ?? []);
  return texts.length < ids.length || now - Number(time) > MAX_OBJECT_AGE_MS
    ? undefined
    : { size: Number(size), traits: texts, time: Number(time) };
}
