import { escapeInvisible } from '@temporal-kms/codec-api';
import { X } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import styles from './type-filter.module.css';

interface TypeFilterProps {
  readonly type: string;
  readonly onEnd: () => void;
}

/** Names the type of the activities that the history shows, and ends that. */
export function TypeFilter({ type, onEnd }: TypeFilterProps) {
  const name = escapeInvisible(type);
  return (
    <Button aria-label={`Only ${name}, show all events`} data-tip="Show all events" onClick={onEnd}>
      <span className={styles['type']}>{name}</span>
      <X size={14} />
    </Button>
  );
}
