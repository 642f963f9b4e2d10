import { createHash } from 'node:crypto';
import { type ClearValue, type FieldKind, fieldKinds } from './clear-values.ts';
import { masked, matchesIn, type Patterns } from './patterns.ts';

/** The place where a value was found: an event of a run, or a schedule. */
export interface Place {
  /** The namespace, or the name of the file. */
  readonly source: string;
  readonly workflowId?: string | undefined;
  readonly runId?: string | undefined;
  readonly scheduleId?: string | undefined;
  /** Absent if the value is in the description of the run or the schedule. */
  readonly eventId?: number | undefined;
}

/** Values that match one pattern in one field. A finding contains the values only in masked form. */
export interface Finding {
  readonly pattern: string;
  readonly kind: FieldKind;
  readonly path: string;
  readonly values: number;
  readonly histories: number;
  /** The first values that were found, in masked form, and their places. */
  readonly samples: readonly Sample[];
}

interface Sample extends Omit<Place, 'workflowId' | 'scheduleId'> {
  readonly masked: string;
  /** The id, or `sha256:` and the first digits of the id's hash if the id itself contains a found value. */
  readonly workflowId?: string;
  readonly scheduleId?: string;
}

interface Group {
  readonly pattern: string;
  readonly kind: FieldKind;
  readonly path: string;
  values: number;
  histories: number;
  lastHistory: string;
  readonly samples: Sample[];
}

/** Maximum number of samples per group. */
const MAX_SAMPLES = 5;
/** Maximum number of groups. Without a limit, there could be a group for each map key of each history. */
const MAX_GROUPS = 1_000;

/** Searches text for values that match patterns, and counts the values by pattern and field. */
export class Findings {
  readonly #patterns: Patterns;
  readonly #groups = new Map<string, Group>();
  #texts = 0;
  #others = 0;

  constructor(patterns: Patterns) {
    this.#patterns = patterns;
  }

  /** Number of strings that were searched. */
  get texts(): number {
    return this.#texts;
  }

  /** Number of values that the report omits, because their groups would exceed `MAX_GROUPS`. */
  get others(): number {
    return this.#others;
  }

  add(values: readonly ClearValue[], place: Place): void {
    for (const { kind, path, text } of values) {
      this.#texts += 1;
      for (const match of matchesIn(text, this.#patterns))
        this.#found({ pattern: match.pattern, kind, path: this.#shown(path) }, match.text, place);
    }
  }

  /** Returns the findings, ordered by kind of field, then by pattern. */
  list(): Finding[] {
    return [...this.#groups.values()]
      .map(({ pattern, kind, path, values, histories, samples }) => ({
        pattern,
        kind,
        path,
        values,
        histories,
        samples,
      }))
      .toSorted(
        (one, other) =>
          fieldKinds.indexOf(one.kind) - fieldKinds.indexOf(other.kind) ||
          one.pattern.localeCompare(other.pattern, 'en') ||
          one.path.localeCompare(other.path, 'en'),
      );
  }

  #found(key: Pick<Group, 'pattern' | 'kind' | 'path'>, text: string, place: Place): void {
    const id = JSON.stringify(key);
    let group = this.#groups.get(id);
    if (group === undefined) {
      if (this.#groups.size >= MAX_GROUPS) {
        this.#others += 1;
        return;
      }
      group = { ...key, values: 0, histories: 0, lastHistory: '', samples: [] };
      this.#groups.set(id, group);
    }
    group.values += 1;
    const history = JSON.stringify([place.source, place.runId, place.workflowId, place.scheduleId]);
    if (history !== group.lastHistory) group.histories += 1;
    group.lastHistory = history;
    if (group.samples.length < MAX_SAMPLES) group.samples.push(this.#sample(text, place));
  }

  #sample(text: string, { source, workflowId, runId, scheduleId, eventId }: Place): Sample {
    return {
      masked: masked(text),
      source,
      ...(workflowId !== undefined && { workflowId: this.#id(workflowId) }),
      ...(runId !== undefined && { runId: this.#id(runId) }),
      ...(scheduleId !== undefined && { scheduleId: this.#id(scheduleId) }),
      ...(eventId !== undefined && { eventId }),
    };
  }

  /** Returns a path with `(found)` in place of each map key that contains a found value. */
  #shown(path: readonly string[]): string {
    return path.map((part) => (this.#isClean(part) ? part : '(found)')).join('.');
  }

  #id(id: string): string {
    if (this.#isClean(id)) return id;
    return `sha256:${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;
  }

  /**
   * Whether text may be printed: it is short, contains no found value, and consists of characters that every
   * terminal shows.
   */
  #isClean(text: string): boolean {
    return /^[\x20-\x7e]{0,300}$/.test(text) && matchesIn(text, this.#patterns).length === 0;
  }
}
