import type { Line } from '../../model/json-lines.ts';
import styles from './json-tokens.module.css';

export function JsonTokens({ tokens }: { tokens: Line }) {
  return tokens.map((token, index) => (
    // A line's tokens don't move.
    // oxlint-disable-next-line react/no-array-index-key
    <span key={index} className={styles[token.kind]}>
      {token.text}
    </span>
  ));
}
