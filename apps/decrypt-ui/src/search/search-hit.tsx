import { escapeInText, type SearchHit } from '@temporal-kms/codec-api';
import { MaskedField } from '../payloads/mask.tsx';
import { payloadLabel } from '../payloads/value/payload-label.ts';
import { plural } from '../ui/format/number.ts';
import type { HitContext } from './hit-context.ts';
import styles from './search-hit.module.css';

/** Shows where a search found its text: the payload, the JSON Pointer in it, and the number of matches. */
export function HitPlace({ hit, title = payloadLabel(hit.path) }: { hit: SearchHit; title?: string }) {
  return (
    <span className={styles['place']}>
      {title} <span className="mono">{escapeInText(hit.pointer)}</span>
      {hit.in === 'key' ? ' (name)' : ''}
      {hit.matches > 1 ? ` ×${hit.matches}` : ''}
      {hit.stored ? ' in external storage' : ''}
    </span>
  );
}

/** Widths of masked text in CSS pixels. The keys are the ranges of text length that the server reports. */
const widths = { '0': 0, '1-4': 16, '5-16': 32, '17-64': 88, '65+': 124 } as const;

interface HitSnippetProps {
  readonly hit: SearchHit;
  /** The text around the match, if the page shows the payload. */
  readonly context?: HitContext | undefined;
}

/** The matched text. The server masks the text before and after the match. */
export function HitSnippet({ hit, context }: HitSnippetProps) {
  const { before, match, after } = hit.snippet;
  return (
    <span className={styles['snippet']}>
      {context ? (
        <span className={styles['before']}>
          {/* Replaces a space at the text's end, which would otherwise move to its start. */}
          <span dir="ltr">{escapeInText(context.before).replace(/ $/, '\u00a0')}</span>
        </span>
      ) : (
        <Around length={before} />
      )}
      <mark>{escapeInText(match)}</mark>
      {context ? (
        <span className={styles['after']}>{escapeInText(context.after)}</span>
      ) : (
        <Around length={after} />
      )}
      {hit.more ? <span className="t3">and {plural(hit.more, 'more place')} in this payload</span> : null}
    </span>
  );
}

function Around({ length }: { length: keyof typeof widths }) {
  return length === '0' ? null : <MaskedField width={widths[length]} label="masked" />;
}
