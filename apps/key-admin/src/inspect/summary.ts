import { payloadStates, type PayloadDescription } from './describe-payload.ts';

/** The payloads of a history that share a state, format, key and version. */
export interface SummaryRow extends Pick<PayloadDescription, 'state' | 'format' | 'key' | 'reason'> {
  readonly payloads: number;
  /** Total size of the payloads' `data` in bytes. */
  readonly bytes: number;
  readonly firstEvent: number;
  readonly lastEvent: number;
}

/** Counts the payloads of a history for each state, format, key and key version. */
export class Summary {
  readonly #rows = new Map<string, { -readonly [Field in keyof SummaryRow]: SummaryRow[Field] }>();

  add(eventId: number, { state, format, key, bytes, reason }: PayloadDescription): void {
    const id = JSON.stringify([state, format, key, reason]);
    const row = this.#rows.get(id);
    if (row === undefined) {
      this.#rows.set(id, {
        state,
        format,
        ...(key && { key }),
        ...(reason !== undefined && { reason }),
        payloads: 1,
        bytes,
        firstEvent: eventId,
        lastEvent: eventId,
      });
      return;
    }
    row.payloads += 1;
    row.bytes += bytes;
    row.firstEvent = Math.min(row.firstEvent, eventId);
    row.lastEvent = Math.max(row.lastEvent, eventId);
  }

  /** Returns the rows, ordered by state, then key, then version. */
  rows(): SummaryRow[] {
    const order = (row: SummaryRow): string =>
      [
        payloadStates.indexOf(row.state),
        keyText(row.key),
        String(row.key?.version ?? 0).padStart(10, '0'),
        row.format,
        row.reason,
      ].join('\0');
    return [...this.#rows.values()].toSorted((one, other) => (order(one) < order(other) ? -1 : 1));
  }
}

/** Returns the name of a key, or its id if the name is unknown. */
export function keyText(key: PayloadDescription['key']): string {
  if (key === undefined) return 'no key named';
  if (key.name !== undefined) return key.name;
  return key.id === undefined ? `static key ${key.static ?? ''}` : `key id ${key.id}`;
}
