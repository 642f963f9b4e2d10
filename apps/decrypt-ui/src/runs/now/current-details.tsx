import { useCallback, useMemo } from 'react';
import { CodeView } from '../../payloads/code-view.tsx';
import { textLines } from '../../payloads/value/text-lines.ts';
import { renderMarkdown } from './markdown.ts';
import styles from './now.module.css';

/** Shows a run's current details, which its workflow writes in Markdown. */
export function CurrentDetails({ text }: { text: string }) {
  const rendered = useMemo(() => renderMarkdown(text), [text]);
  const lines = useMemo(() => textLines(text), [text]);
  const fill = useCallback(
    (element: HTMLElement | null) => {
      if (rendered) element?.replaceChildren(rendered.cloneNode(true));
    },
    [rendered],
  );
  if (rendered) return <div key={text} className={styles['markdown']} ref={fill} />;
  return (
    <CodeView
      count={lines.length}
      label="Current details"
      decrypted
      wrap
      renderLine={(index) => lines[index]}
    />
  );
}
