import { escapeInText, type SearchHit } from '@temporal-kms/codec-api';
import { MaskedField } from '../payloads/mask.tsx';
import { payloadLabel } from '../payloads/value/payload-label.ts';
import { plural } from '../ui/format/number.ts';
import styles from './search-hit.module.css';

/** Where a search has found its text: the payload, the JSON Pointer in it, and how often. */
export function HitPlace({ hit }: { hit: SearchHit }) {
  return (
    <span className={styles['place']}>
      {payloadLabel(hit.path)} <span className="mono">{escapeInText(hit.pointer)}</span>
      {hit.in === 'key' ? ' (name)' : ''}
      {hit.matches > 1 ? ` ×${hit.matches}` : ''}
    </span>
  );
}

/** Widths of masked text in CSS pixels, by the server's buckets of its length. */
const widths = { '0': 0, '1-4': 16, '5-16': 32, '17-64': 88, '65+': 124 } as const;

/** The text that was found. Around it, the server masks everything. */
export function HitSnippet({ hit }: { hit: SearchHit }) {
  const { before, match, after } = hit.snippet;
  return (
    <span className={styles['snippet']}>
      <Around length={before} />
      <mark>{escapeInText(match)}</mark>
      <Around length={after} />
      {hit.more ? <span className="t3">and {plural(hit.more, 'more place')} in this payload</span> : null}
    </span>
  );
}

function Around({ length }: { length: keyof typeof widths }) {
  return length === '0' ? null : <MaskedField width={widths[length]} label="masked" />;
}
