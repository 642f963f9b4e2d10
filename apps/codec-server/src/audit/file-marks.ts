import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { type ChainHead, formatHead, parseHead } from './chain.ts';
import { LABELS_TEXT, unforgeable } from './log-line.ts';

/** Bytes between the last line of the chain and this one that are no line of it: what a crash or a full disk left. */
export interface Torn {
  readonly bytes: number;
  readonly sha256: string;
}

/** What the line that a process begins a file or standard output with says, besides its link. */
export interface Opened {
  /** Name of the file without its folder; absent: standard output. */
  readonly file?: string | undefined;
  /** Bytes of the file before this line. */
  readonly at?: number | undefined;
  readonly torn?: Torn | undefined;
  /** The last line that the process wrote before, where it is not the one that this one follows: it was lost. */
  readonly lost?: ChainHead | undefined;
  /** Identifies the key of digests: the first bytes of a digest of nothing. */
  readonly digestKey?: string | undefined;
}

const head = z.string().transform((text, context) => {
  const parsed = parseHead(text);
  if (parsed === undefined) context.addIssue('must be a number, a colon and a hash');
  return parsed;
});

const mark = z.object({
  auditFile: z.discriminatedUnion('event', [
    z.object({
      event: z.literal('opened'),
      version: z.string(),
      file: z.string().optional(),
      at: z.number().int().nonnegative().optional(),
      torn: z.object({ bytes: z.number().int().positive(), sha256: z.string() }).optional(),
      lost: head.optional(),
      digestKey: z.string().optional(),
    }),
    z.object({ event: z.literal('closed') }),
  ]),
});
export type Mark = z.infer<typeof mark>['auditFile'];

/** The first line of a process in a file, or of a file that follows another one. */
export const openedLine = (instance: string, { lost, ...opened }: Opened): string =>
  markLine(instance, {
    event: 'opened',
    version: packageJson.version,
    ...opened,
    ...(lost && { lost: formatHead(lost) }),
  });

/** The last line of a process that ended in order. */
export const closedLine = (instance: string): string => markLine(instance, { event: 'closed' });

function markLine(instance: string, of: Readonly<Record<string, unknown>>): string {
  const time = new Date().toISOString();
  return (
    `{"severity":"NOTICE","time":"${time}","message":"audit: ${String(of['event'])}",` +
    `"logging.googleapis.com/insertId":"${instance}.${String(of['event'])}.${time}",${LABELS_TEXT},` +
    `"auditFile":${unforgeable(of)}}\n`
  );
}

/** What a line says that begins or ends a file's lines of one process; undefined for any other line. */
export function markOf(line: Buffer): Mark | undefined {
  if (!line.includes('"auditFile":{"event":"')) return undefined;
  try {
    return mark.parse(JSON.parse(line.toString('utf8'))).auditFile;
  } catch {
    return undefined;
  }
}
