import { Clock, KeyRound, Lock, LockOpen } from 'lucide-react';
import styles from './key-badges.module.css';
import { type KeyBadge, type KeyTone, UNRECORDED_VERSION } from './payload-keys.ts';

const icons: Readonly<Record<KeyTone, typeof Lock>> = {
  crypto: KeyRound,
  bad: Lock,
  dead: Lock,
  retry: Clock,
  none: LockOpen,
};

/** Badges with the key versions of payloads, and with the reasons why some cannot be decrypted. */
export function KeyBadges({ badges }: { badges: readonly KeyBadge[] }) {
  return badges.map(({ label, tone, title }) => {
    const Icon = icons[tone];
    return (
      <span key={label} className={styles['badge']} data-tone={tone} data-tip={title}>
        <Icon size={12} aria-hidden="true" />
        <span className="sr-only">{tone === 'none' ? '' : 'Key '}</span>
        {label}
        {label.includes(UNRECORDED_VERSION) ? (
          <span className="sr-only">, {UNRECORDED_VERSION} is a version that the format does not record</span>
        ) : null}
      </span>
    );
  });
}
