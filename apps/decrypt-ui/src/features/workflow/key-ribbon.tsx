import { Clock, Lock } from 'lucide-react';
import { formatCount, plural } from '../../model/format/number.ts';
import type { KeyShare, KeyUsage } from '../../model/keys.ts';
import styles from './key-ribbon.module.css';

const WIDTH = 90;
/** One sealed payload among thousands still shows. */
const LEAST = 4;

/** How the run's payloads are spread over key versions; what can't be read stands last, in words. */
export function KeyRibbon({ usage }: { usage: KeyUsage }) {
  const { shares, unreadable } = usage;
  const all = shares.reduce((sum, share) => sum + share.count, 0);
  if (all === 0) return null;
  const title = shares.map(({ label, count }) => `${label}: ${plural(count, 'payload')}`).join('\n');
  return (
    <span className={styles['use']} title={title}>
      <span className={styles['ribbon']} aria-hidden="true">
        {shares.map((share, index) => (
          <i
            key={`${share.label} ${share.tone}`}
            data-tone={share.tone}
            style={{
              width: Math.max((share.count / all) * WIDTH, LEAST),
              opacity: index === 0 ? 1 : opacity(share),
            }}
          />
        ))}
      </span>
      {shares.map((share) => (
        <span key={`${share.label} ${share.tone}`} className={styles['share']} data-tone={share.tone}>
          {share.tone === 'crypto' ? null : <Trouble tone={share.tone} />}
          {share.label}
          <b>{formatCount(share.count)}</b>
        </span>
      ))}
      {unreadable > 0 ? <span className={styles['unreadable']}>unreadable</span> : null}
    </span>
  );
}

function Trouble({ tone }: Pick<KeyShare, 'tone'>) {
  const Icon = tone === 'retry' ? Clock : Lock;
  return <Icon size={12} aria-hidden="true" />;
}

/** Versions are told apart by strength, not by colour. */
const opacity = ({ tone }: KeyShare) => (tone === 'crypto' ? 0.55 : 1);
